"""Training: the matrix of roles, documents and people."""

from __future__ import annotations

from typing import Annotated

import typer

from coverslip.cli import show
from coverslip.cli.caller import Caller, calls

app = typer.Typer(no_args_is_help=True, help="Training: who may act by what their roles ask.")


@app.command()
@calls
def matrix(
    caller: Caller,
    role: Annotated[str, typer.Option(help="Code of one role, such as ANL; left out: all.")] = "",
    gaps: Annotated[bool, typer.Option("--gaps", help="Show only what is not green.")] = False,
) -> None:
    """Show who is trained on what each role asks: green, amber for what is coming, red for refused."""
    found = caller.client().training_matrix(role)
    if caller.json:
        show.as_json(found)
        return
    columns = ("role", "document", "person", "name", "state", "why")
    cells = found["gaps" if gaps else "cells"]
    show.table(columns, [[cell[c] for c in columns] for cell in cells], "No role asks for training.")
    counts = found["counts"]
    show.say(f"{counts['green']} green, {counts['amber']} amber, {counts['red']} red as of {found['as_of']}")
