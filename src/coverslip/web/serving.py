"""How the pages are served: whether the connection is protected, and what that means for cookies."""

from __future__ import annotations

from dataclasses import dataclass


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
        return scheme == ("https" if self.secure else "http") and rest.lower() == host_header.strip().lower()
