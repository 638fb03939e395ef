"""The scope inventory: every kind of record, the rules that ask for it and what applies to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli import show
from coverslip.cli.caller import Caller, calls
from coverslip.client.errors import misuse


@calls
def scope(
    caller: Caller,
    csv: Annotated[
        Path | None, typer.Option(help="Write the inventory to this new file, for a spreadsheet.")
    ] = None,
    as_of: Annotated[str, typer.Option(help="Take the scope decisions of that day, YYYY-MM-DD.")] = "",
) -> None:
    """Export the scope inventory: rules, retention, signatures and whether Part 11 and Annex 11 apply."""
    if csv is not None and csv.exists():
        raise misuse("--csv", "the name of a new file", f"{csv}, which exists")
    found = caller.client().scope(as_of)
    if csv is not None:
        csv.write_text(found["csv"], encoding="utf-8", newline="")
    if caller.json:
        show.as_json({name: value for name, value in found.items() if name != "csv"})
        return
    if csv is not None:
        show.say(f"{len(found['items'])} rows in {csv}, SHA-256 of the inventory {found['sha256']}")
        return
    columns = ("name", "required", "part11", "annex11", "retention", "scope")
    show.table(columns, [[row.get(c, "") for c in columns] for row in found["items"]])


def add(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(scope)
