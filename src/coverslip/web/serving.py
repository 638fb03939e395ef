"""Where the pages are served: origins, and whether the connection is protected."""

from __future__ import annotations

from dataclasses import dataclass

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Serving:
    """How browsers reach this server.

    ``hosts`` are the names, in lower case and without port, under which it answers; ``secure`` says that
    browsers come over TLS, so that cookies are bound to it.
    """

    hosts: tuple[str, ...] = LOOPBACK_NAMES
    secure: bool = False

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; the prefix ties it to this host and to TLS where there is TLS."""
        return "__Host-coverslip" if self.secure else "coverslip"

    def answers(self, host_header: str) -> bool:
        """Whether a request's Host header names this server."""
        name = host_header.strip().lower()
        name = name.rpartition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
        return name in self.hosts

    def own(self, origin: str, host_header: str) -> bool:
        """Whether an Origin header is that of these pages, as asked for under ``host_header``."""
        scheme, _, rest = origin.partition("://")
        return scheme == ("https" if self.secure else "http") and rest.lower() == host_header.strip().lower()
