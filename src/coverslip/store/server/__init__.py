"""Our own supervisor of a PostgreSQL cluster inside a home (DESIGN 2 and 8, LEDGER D10)."""

from coverslip.store.server.binaries import Binaries, find_binaries
from coverslip.store.server.cluster import Cluster, Status
from coverslip.store.server.roles import LOGIN_ROLES

__all__ = ["LOGIN_ROLES", "Binaries", "Cluster", "Status", "find_binaries"]
