"""Signing in from Python without a password in the program, the notebook or the environment.

Rules kept here: a password is typed, without echo, and kept nowhere; a token may come from the variable
``COVERSLIP_TOKEN``, because it ends by itself and can be ended; neither is ever shown.
"""

from __future__ import annotations

import os
import sys
from getpass import getpass
from typing import TYPE_CHECKING

from coverslip.client.errors import misuse

if TYPE_CHECKING:
    from coverslip.client.values import View

TOKEN_VARIABLE = "COVERSLIP_TOKEN"  # noqa: S105 -- the name of a variable
USER_VARIABLE = "COVERSLIP_USER"


def username_of(given: str = "") -> str:
    """Return who signs in: as given, else ``COVERSLIP_USER``, else asked for."""
    return given or os.environ.get(USER_VARIABLE, "") or _asked("User name: ")


def _asked(prompt: str) -> str:
    try:
        text = input(prompt).strip()
    except EOFError as error:
        raise misuse("the user name", "a name", "nobody to ask") from error
    if not text:
        raise misuse("the user name", "a name", "nothing")
    return text


def password_of(username: str) -> str:
    """Ask for a password without echo. Raises ``MisuseError`` where nobody can be asked."""
    try:
        return getpass(f"Password of {username}: ")
    except EOFError as error:
        raise misuse("the password", "one that is typed", "nobody to ask") from error


def ask_on_terminal(view: View, words: str) -> tuple[str, str]:
    """Show what will be signed and the words of the signature, and ask for both components."""
    sys.stdout.write(f"{view.text.rstrip()}\n\nYou sign: {words}\n")
    sys.stdout.flush()
    username = _asked("User name: ")
    return username, password_of(username)
