"""``coverslip ledger anchors``: where checkpoints are kept, and how long ago each place took one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli import show
from coverslip.cli.bootstrapping import HomeDir, bootstrap, the_home
from coverslip.cli.caller import AsJson
from coverslip.cli.failing import FINDING, HOLDS

anchors = typer.Typer(
    no_args_is_help=True, help="Places that keep checkpoints by themselves: add, list, remove, now."
)


@anchors.command()
def add(
    name: Annotated[str, typer.Argument(help="A short name for the place.")],
    type: Annotated[str, typer.Option(help="file, rfc3161 (a timestamp authority) or witness.")],
    target: Annotated[str, typer.Option(help="Absolute path of the file, or address of the service.")],
    note: Annotated[str, typer.Option(help="Who controls it: why it is independent of this home.")] = "",
    roots: Annotated[
        Path | None, typer.Option(help="rfc3161: the authority's root certificates (PEM).")
    ] = None,
    vkey: Annotated[str, typer.Option(help="witness: its verifier key.")] = "",
    ca: Annotated[Path | None, typer.Option(help="Certificates for the TLS connection (PEM).")] = None,
    every_s: Annotated[float, typer.Option(min=0, help="Seconds between two; 0: as usual.")] = 0.0,
    max_age_s: Annotated[float, typer.Option(min=0, help="Age that is too old; 0: as usual.")] = 0.0,
    mirror: Annotated[bool, typer.Option("--mirror", help="witness: send it the leaves too.")] = False,
    home: HomeDir = None,
    as_json: AsJson = False,
) -> None:
    """Name a place. A running server uses it within a second; it need not answer yet."""
    given = {
        "name": name, "type": type, "target": target, "note": note, "vkey": vkey, "mirror": mirror,
        "roots": str(roots.absolute()) if roots else "", "ca": str(ca.absolute()) if ca else "",
        "every_s": every_s, "max_age_s": max_age_s,
    }  # fmt: skip
    _show(bootstrap().anchors_add(the_home(home), given), as_json)


@anchors.command("list")
def list_anchors(home: HomeDir = None, as_json: AsJson = False) -> None:
    """Show each place with its last success, its age and its note. Exit 1 when one is too old."""
    found = bootstrap().anchors_list(the_home(home))
    _show(found, as_json)
    raise typer.Exit(_code(found))


@anchors.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the place.")],
    home: HomeDir = None,
    as_json: AsJson = False,
) -> None:
    """Take a place off the list. What it kept, and its evidence here, stays."""
    _show(bootstrap().anchors_remove(the_home(home), name), as_json)


@anchors.command()
def now(home: HomeDir = None, as_json: AsJson = False) -> None:
    """Give every place the newest checkpoint now. Exit 1 when one did not take it."""
    found = bootstrap().anchors_round(the_home(home))
    _show(found, as_json)
    raise typer.Exit(_code(found))


def _code(found: list[dict[str, Any]]) -> int:
    return FINDING if any(one["overdue"] or one.get("error") for one in found) else HOLDS


def _show(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show.as_json({"anchors": found})
        return
    columns = ("name", "type", "size", "at", "age", "state", "independence")
    rows = [
        [
            one["name"], one["type"], str(one.get("size", "")), one.get("at", "never"),
            f"{one['age_s']} s" if "age_s" in one else "", _state(one), one["independence"],
        ]
        for one in found
    ]  # fmt: skip
    show.table(columns, rows, "No places.")


def _state(one: dict[str, Any]) -> str:
    state = "TOO OLD" if one["overdue"] else "ok"
    return f"{state}: {one['error']}" if one.get("error") else state
