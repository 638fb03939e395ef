"""People, roles and devices: the records behind who may act, by their short commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli import show, signing
from coverslip.cli.asking import Components
from coverslip.cli.caller import AsJson, Caller, calls
from coverslip.client import DeviceKey

user = typer.Typer(no_args_is_help=True, help="People: make an account, invite, list.")
role = typer.Typer(no_args_is_help=True, help="Roles: list, ask for a grant.")
device = typer.Typer(no_args_is_help=True, help="Devices: make a key, register, list.")
Limit = Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")]


def _listed(caller: Caller, kind: str, columns: tuple[str, ...], state: str, limit: int) -> None:
    found = list(caller.client().records.list(kind, state=state, limit=limit))
    if caller.json:
        show.as_json({"records": found})
        return
    rows = [
        [r["label"], r["state"], *(show.plain(r["fields"].get(name, "")) for name in columns)] for r in found
    ]
    show.table(("number", "state", *columns), rows, "None.")


def _made(caller: Caller, kind: str, fields: dict[str, Any], reason: str = "") -> None:
    given = {name: value for name, value in fields.items() if value != ""}
    caller.told(signing.create(caller, kind, given, reason, Components()))


@user.command("new")
@calls
def new_user(
    caller: Caller,
    username: Annotated[str, typer.Argument(help="User name; it is never reused.")],
    name: Annotated[str, typer.Option(help="Printed name, as signatures show it.")],
    email: Annotated[str, typer.Option(help="E-mail address.")] = "",
    kind: Annotated[str, typer.Option(help="person, inspector or service.")] = "person",
    title: Annotated[str, typer.Option(help="Job title.")] = "",
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = "",
    end: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD; an inspector needs one.")] = "",
    responsible: Annotated[
        str, typer.Option(help="Number of the person who answers for a service; a service needs one.")
    ] = "",
) -> None:
    """Make an account. The person enrols with a code of their own; roles are granted apart.

    A service has no signing key and never signs: security activates it with 'sign NUMBER activate_service'.
    """
    _made(
        caller,
        "user",
        {
            "username": username,
            "printed_name": name,
            "kind": kind,
            "email": email,
            "job_title": title,
            "valid_from": start,
            "valid_to": end,
            "responsible": responsible,
        },
    )


@user.command()
@calls
def invite(
    caller: Caller, number: Annotated[str, typer.Argument(help="The account's number, such as USR-0004.")]
) -> None:
    """Print a one-time enrolment code, valid for one day. Hand it to the person alone."""
    code = caller.client().records.invitation(number)
    show.as_json({"number": number, "code": code}) if caller.json else show.say(code)


@user.command("list")
@calls
def list_users(
    caller: Caller, state: Annotated[str, typer.Option(help="Only in this state.")] = "", limit: Limit = 200
) -> None:
    """List accounts."""
    _listed(caller, "user", ("username", "printed_name", "kind"), state, limit)


@role.command("list")
@calls
def list_roles(
    caller: Caller,
    grants: Annotated[bool, typer.Option("--grants", help="List who holds which role instead.")] = False,
    limit: Limit = 200,
) -> None:
    """List roles, or with --grants who holds them."""
    if grants:
        _listed(caller, "role_grant", ("person", "role", "start", "end"), "", limit)
    else:
        _listed(caller, "role", ("code", "title"), "", limit)


@role.command()
@calls
def grant(
    caller: Caller,
    person: Annotated[str, typer.Argument(help="Number of the account, such as USR-0004.")],
    role: Annotated[str, typer.Argument(help="Code of the role, such as REV.")],
    why: Annotated[str, typer.Option(help="Why this person needs the role.")],
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = "",
    end: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD; an inspector needs one.")] = "",
) -> None:
    """Ask for a role for somebody else. QA approves it with 'coverslip sign NUMBER approve'."""
    number = role if role.startswith("ROLE-") else f"ROLE-{role.upper()}"
    _made(
        caller,
        "role_grant",
        {"person": person, "role": number, "justification": why, "start": start, "end": end},
    )


@device.command()
def keygen(
    out: Annotated[
        Path, typer.Argument(help="File to keep the key in (mode 0600); an existing one is never replaced.")
    ],
    as_json: AsJson = False,
) -> None:
    """Make a device's signing key and print its public half, which is registered."""
    key = DeviceKey.create(out)
    show.as_json({"path": str(out), "public": key.public}) if as_json else show.say(key.public)


@device.command()
@calls
def register(
    caller: Caller,
    name: Annotated[str, typer.Option(help="Name of the instrument.")],
    make: Annotated[str, typer.Option(help="Maker.")],
    model: Annotated[str, typer.Option(help="Model.")],
    serial: Annotated[str, typer.Option(help="Serial number, as its files state it.")],
    interval_months: Annotated[int, typer.Option(min=1, max=60, help="Months between calibrations.")],
    key: Annotated[str, typer.Option(help="Public key (hex) printed by 'device keygen'.")] = "",
    firmware: Annotated[str, typer.Option(help="Firmware.")] = "",
    location: Annotated[str, typer.Option(help="Where it stands.")] = "",
) -> None:
    """Register an instrument. It delivers once it is calibrated and put in service."""
    fields = {
        "name": name,
        "make": make,
        "model": model,
        "serial": serial,
        "interval_months": interval_months,
        "device_key": key,
        "firmware": firmware,
        "location": location,
    }
    _made(caller, "instrument", fields)


@device.command("list")
@calls
def list_devices(
    caller: Caller, state: Annotated[str, typer.Option(help="Only in this state.")] = "", limit: Limit = 200
) -> None:
    """List instruments."""
    _listed(caller, "instrument", ("name", "make", "model", "serial"), state, limit)
