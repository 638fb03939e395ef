"""Signing in and out, who am I, enrolling: each person as themselves."""

from __future__ import annotations

from typing import Annotated

import typer

from coverslip.cli import asking, show
from coverslip.cli.caller import Caller, calls
from coverslip.cli.keeping import forget, keep, kept
from coverslip.client import RefusedError


@calls
def login(
    caller: Caller,
    username: Annotated[str, typer.Argument(help="Your user name.")],
    password_stdin: asking.PasswordStdin = False,
) -> None:
    """Sign in. The session is kept in a file only you can read; the password is kept nowhere."""
    opened = caller.guest().sign_in(username, asking.password(stdin=password_stdin))
    keep(caller.file, str(caller.address()), opened)
    if caller.json:
        names = ("username", "name", "number", "session", "expires_at", "last_successful", "last_failed")
        show.as_json({name: getattr(opened, name) for name in names})
        return
    show.say(f"Signed in as {opened.name or opened.username} ({opened.username}) until {opened.expires_at}.")
    show.say(f"Last sign-in: {opened.last_successful or 'none before'}")
    show.say(f"Last failed attempt: {opened.last_failed or 'none'}")


@calls
def logout(caller: Caller) -> None:
    """Sign out: end the session at the server and forget it here."""
    if kept(caller.file) is None:
        show.say("Nobody was signed in.")
        return
    try:
        caller.client().sign_out()
    except RefusedError as error:
        if error.code != "AUTH_REQUIRED":
            raise
    forget(caller.file)
    show.say("Signed out.")


@calls
def whoami(caller: Caller) -> None:
    """Say who is signed in, and at which installation."""
    found = caller.client().me()
    if caller.json:
        show.as_json(found)
        return
    installation = found.get("installation", {})
    show.say(f"{found['name']} ({found['username']}, {found['number']}) at {found['workstation']}")
    show.say(
        f"{installation.get('origin', 'unknown installation')}, use: {installation.get('use', 'unknown')}"
    )


@calls
def enrol(
    caller: Caller,
    code: Annotated[str, typer.Argument(help="The one-time code you were given.")],
    username: Annotated[str, typer.Option(help="Your user name.")],
    password_stdin: asking.PasswordStdin = False,
) -> None:
    """Choose your password and make your signing key; a second person then verifies who you are."""
    if not caller.json:
        show.say("Choose a password of at least 12 characters that only you know. It cannot be recovered.")
    secret = asking.password(stdin=password_stdin, confirm=True)
    receipt = caller.guest().enrol(code, username, secret)
    if caller.json:
        show.as_json(receipt.raw)
        return
    show.say(
        f"{receipt.number} is {receipt.first.state}. Signing in waits for a second person's verification."
    )


def add(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (login, logout, whoami, enrol):
        app.command()(command)
