"""The past: a record as it was on a day, and who could do what then."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from coverslip.cli import show
from coverslip.cli.caller import Caller, calls


def record(caller: Caller, number: str, at: str) -> None:
    """Show a record as it was: its text of then, its definition, and its people as they were at each act."""
    found = caller.client().records.as_of(number, at)
    if caller.json:
        show.as_json(found)
        return
    definition = found["definition"]
    show.say(f"As it was at {found['as_of']} (version {found['version']}, since {found['since']})")
    show.say(
        f"Definition: {found['type_title']}, version {definition['version']}, {definition['hash'][:12]}\n"
    )
    show.say(found["text"].rstrip("\n"))
    show.say("\nWho had acted, with what they held and were trained on at that moment")
    rows = [
        (
            act["at"],
            act["act"],
            act["name"] or act.get("number", act.get("person", "")),
            _roles(act),
            _known(act),
        )
        for act in found["acts"]
    ]
    show.table(("at", "act", "person", "roles", "trained on"), rows)


@calls
def authority(
    caller: Caller,
    at: Annotated[str, typer.Option("--at", help="A day, or an instant with its zone.")],
    person: Annotated[str, typer.Option(help="One account's number: every act that was open to it.")] = "",
) -> None:
    """Show who could do what on a day: accounts, roles, trainings, and whether each role was usable."""
    found = caller.client().records.authority(at, person)
    if caller.json:
        show.as_json(found)
        return
    show.say(f"As of {found['as_of']}")
    rows = [(p["number"], p["name"], _standing(p), _roles(p), _known(p)) for p in found["people"]]
    show.table(("number", "name", "account", "roles", "trained on"), rows, "Nobody had an account.")
    for told in found["people"]:
        for kind, acts in sorted(told.get("may", {}).items()):
            show.say(f"could   {kind}: {', '.join(acts)}")


def _standing(person: dict[str, Any]) -> str:
    said = ["verified" if person["verified"] else "not verified"]
    said += ["reads only"] if person["reads_only"] else []
    said += ["ADMINISTRATOR"] if person["administrator"] else []
    return ", ".join(said)


def _roles(person: dict[str, Any]) -> str:
    def one(role: dict[str, Any]) -> str:
        behalf = f" for {role['on_behalf_of']}" if role.get("on_behalf_of") else ""
        lacking = "" if role["usable"] else f", not usable: untrained on {', '.join(role['lacking'])}"
        return f"{role['role']}{behalf} ({role['grant']}{lacking})"

    return "; ".join(one(role) for role in person["roles"]) or "none"


def _known(person: dict[str, Any]) -> str:
    return "; ".join(t["document"] for t in person["trained"]) or "nothing"
