"""Vouching: whoever finds the live session of a request says so to the connection it came on.

Rules kept here: only a session that was found vouches; where nobody asks, nothing happens.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

VOUCH = "coverslip.vouch"
"""Key of an ASGI scope: takes the token whose live session was found, from any thread."""


def vouch(scope: MutableMapping[str, Any], token: str) -> None:
    """Tell the connection of a request that this token is a live session's."""
    tell = scope.get(VOUCH)
    if tell is not None:
        tell(token)
