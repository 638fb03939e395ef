"""How the pages are served: whether the connection is protected, and what that means for cookies."""

from __future__ import annotations

from dataclasses import dataclass

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Serving:
    """How browsers reach this server: ``secure`` says that they come over TLS, which cookies are bound to.

    That a request names this server is seen to before it comes here.
    """

    secure: bool = False

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; the prefix ties it to this host and to TLS where there is TLS."""
        return "__Host-coverslip" if self.secure else "coverslip"

    def own(self, origin: str, host_header: str) -> bool:
        """Whether an Origin header is that of these pages, as asked for under ``host_header``."""
        scheme, _, rest = origin.partition("://")
        host = host_header.strip().lower()
        # Behind a proxy that ends TLS the loopback is still reached without it.
        near = host.rpartition(":")[0] in LOOPBACK or host in LOOPBACK
        expected = ("https", "http") if self.secure and near else ("https",) if self.secure else ("http",)
        return scheme in expected and rest.lower() == host
