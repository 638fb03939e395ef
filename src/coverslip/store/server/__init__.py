"""The PostgreSQL of a home: our own, supervised (DESIGN 2 and 8, LEDGER D10), or the site's."""

from coverslip.store.server.binaries import Binaries, find_binaries
from coverslip.store.server.cluster import Cluster, Status
from coverslip.store.server.roles import LOGIN_ROLES
from coverslip.store.server.site import SiteServer

__all__ = ["LOGIN_ROLES", "Binaries", "Cluster", "SiteServer", "Status", "find_binaries"]
