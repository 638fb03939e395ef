"""Retention: until when a record is kept and why, and what is due for disposal."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from coverslip.cli import show
from coverslip.cli.caller import Caller, calls

app = typer.Typer(no_args_is_help=True, help="Retention: what is due for disposal.")


@calls
def of_record(
    caller: Caller, number: Annotated[str, typer.Argument(help="The record's number, such as STU-0001.")]
) -> None:
    """Show until when a record is kept, by which rule, and who preserves it."""
    found = caller.client().records.retention(number)
    if caller.json:
        show.as_json(found)
        return
    say(found)
    show.say(f"Rules: version {found['rule_version']}. Every clock that counts:")
    rows = [(c["record"], c["citation"], c.get("until", "open"), c["because"]) for c in found["clocks"]]
    show.table(("record", "rule", "until", "because"), rows)


@app.command()
@calls
def due(caller: Caller) -> None:
    """List the records nothing asks to be kept any more: candidates for a disposal."""
    found = list(caller.client().records.due())
    if caller.json:
        show.as_json({"records": found})
        return
    rows = [(r["number"], r.get("keep_until", ""), r["because"]) for r in found]
    show.table(("number", "kept until", "because"), rows, "Nothing is due for disposal.")


def say(found: dict[str, Any]) -> None:
    """Print the lines every record shows about its retention."""
    show.say(f"kept    {found['sentence']}")
    for number in found["preserved_by"]:
        show.say(f"kept    Preserved by {number}, whatever its retention says.")
    if found.get("disposed_under"):
        show.say(f"kept    Disposed of under {found['disposed_under']}.")
