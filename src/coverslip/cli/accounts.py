"""Accounts: lock, unlock, reset, end sessions, report lost, disable; alerts and what was done."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from coverslip.cli import asking, show, signing
from coverslip.cli.asking import Components
from coverslip.cli.caller import Caller, calls
from coverslip.cli.organisation import user

alert = typer.Typer(no_args_is_help=True, help="Alerts: what people must look at now, and what they did.")
Account = Annotated[str, typer.Argument(help="The account's number, such as USR-0004.")]
Alert = Annotated[str, typer.Argument(help="The alert's number, such as ALR-2026-00007.")]
Why = Annotated[str, typer.Option(help="Why, in your own words.")]
Username = Annotated[str, typer.Option(help="Your user name, where a signature is asked.")]


def _do(
    caller: Caller,
    number: str,
    act: str,
    why: str,
    components: Components | None = None,
    **fields: Any,
) -> None:
    caller.told(signing.perform(caller, number, act, fields, why, components or Components()))


@user.command()
@calls
def lock(caller: Caller, number: Account, why: Why) -> None:
    """Lock an account. Its sessions end with the command; somebody else lets it in again."""
    _do(caller, number, "lock", why)


@user.command()
@calls
def unlock(caller: Caller, number: Account, why: Why) -> None:
    """Let an account in again, as a second person; failed attempts are forgotten with it."""
    _do(caller, number, "unlock", why)


@user.command()
@calls
def reset(caller: Caller, number: Account, why: Why) -> None:
    """Destroy an account's wrapped key and end its sessions. It enrols anew and is verified by another."""
    _do(caller, number, "reset", why)


@user.command()
@calls
def lost(caller: Caller, number: Account, why: Why) -> None:
    """Report credentials lost, your own or as security: the key is destroyed and every session ends."""
    _do(caller, number, "report_lost", why)


@user.command("end-sessions")
@calls
def end_sessions(caller: Caller, number: Account, why: Why) -> None:
    """End every session of an account, your own or as security. The password stays as it is."""
    _do(caller, number, "end_sessions", why)


@user.command()
@calls
def disable(
    caller: Caller,
    number: Account,
    why: Why,
    username: Username = "",
    password_stdin: asking.PasswordStdin = False,
) -> None:
    """End an account for ever, as a signed act: sessions end at once, the user name is never used again."""
    _do(caller, number, "disable", why, Components(username, password_stdin))


@user.command()
@calls
def notices(caller: Caller) -> None:
    """Show what the installation has to tell you about your own account."""
    found = caller.client().notices()
    if caller.json:
        show.as_json({"notices": found})
        return
    rows = [(n["number"], n["state"], n["raised_at"], n["title"]) for n in found]
    show.table(("number", "state", "raised", "what happened"), rows, "Nothing.")


@alert.command("list")
@calls
def list_alerts(
    caller: Caller,
    state: Annotated[str, typer.Option(help="open, escalated, acknowledged or closed.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 200,
) -> None:
    """List alerts, newest first. Alerts are told here and nowhere else: no mail is sent."""
    found = list(caller.client().records.list("alert", state=state, limit=limit))
    if caller.json:
        show.as_json({"records": found})
        return
    rows = [
        (r["label"], r["state"], r["fields"]["severity"], r["fields"]["kind"], r["fields"]["what"])
        for r in found
    ]
    show.table(("number", "state", "severity", "kind", "what happened"), rows, "None.")


@alert.command()
@calls
def acknowledge(
    caller: Caller,
    number: Alert,
    action: Annotated[str, typer.Option(help="What was found and done, in your own words.")],
) -> None:
    """Acknowledge an alert with what was found and done; never one that concerns yourself."""
    _do(caller, number, "acknowledge", "", action=action)


@alert.command()
@calls
def answer(
    caller: Caller,
    number: Alert,
    mine: Annotated[bool, typer.Option("--mine/--not-mine", help="Whether it was you.")],
) -> None:
    """Say of an alert about your own account whether it was you."""
    _do(caller, number, "answer", "", owner_says="it_was_me" if mine else "it_was_not_me")


@alert.command()
@calls
def close(
    caller: Caller,
    number: Alert,
    why: Why,
    username: Username = "",
    password_stdin: asking.PasswordStdin = False,
) -> None:
    """Close an acknowledged alert, as a signed act: what was done is enough."""
    _do(caller, number, "close", why, Components(username, password_stdin))
