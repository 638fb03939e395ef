"""Asking people: passwords without echo or from stdin, never from an argument or the environment."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Annotated

import typer

from coverslip.client.errors import misuse
from coverslip.client.secrecy import keep_to_itself

PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
]
MAX_LINE = 2048


def password(label: str = "Password", *, stdin: bool = False, confirm: bool = False) -> str:
    """Return a password typed without echo, or the first line of stdin. Raises ``MisuseError`` for none.

    From here on the process leaves no core dump and lets nobody look into it.
    """
    keep_to_itself()
    if stdin:
        found = sys.stdin.readline(MAX_LINE).rstrip("\r\n")
    elif sys.stdin.isatty():
        found = str(typer.prompt(label, hide_input=True, confirmation_prompt=confirm, err=True))
    else:
        raise misuse("the password", "a terminal to type it on, or --password-stdin", "neither")
    if not found:
        raise misuse("the password", "a password", "nothing")
    return found


def line(label: str, given: str = "", default: str = "") -> str:
    """Return what was given, else what a person types. Raises ``MisuseError`` where nobody can be asked."""
    if given:
        return given
    if not sys.stdin.isatty():
        raise misuse(label, f"an option for '{label}', or a terminal to ask on", "neither")
    return str(typer.prompt(label, default=default or None, err=True))


@dataclass(frozen=True, slots=True)
class Components:
    """How the components of a signature are given: typed, or a user name and the first line of stdin."""

    username: str = ""
    stdin: bool = field(default=False)

    def ask(self) -> tuple[str, str]:
        """Return user name and password, both entered for this signing."""
        if self.stdin and not self.username:
            raise misuse("--username", "the signer's user name with --password-stdin", "nothing")
        return line("User name", self.username), password(stdin=self.stdin)
