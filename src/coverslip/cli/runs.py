"""Analysis runs: ask for one, ask for the same again, or compare a recorded one with a new computation.

Runs are executed by the worker, reproductions by the server; never by this command.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from coverslip.cli import show, signing
from coverslip.cli.asking import Components
from coverslip.cli.caller import Caller, calls
from coverslip.cli.failing import FINDING, UNDETERMINED

app = typer.Typer(no_args_is_help=True, help="Analysis runs: start one, repeat one, or reproduce one.")
TYPE = "analysis_run"
NOT_REPRODUCED = "not reproduced"
WAITING = ("queued", "running")
Wait = Annotated[
    float, typer.Option(min=0, help="Wait so many seconds for the run to end; 0 returns at once.")
]


@app.command()
@calls
def start(
    caller: Caller,
    method: Annotated[str, typer.Option(help="Analysis method, such as 'AM-0001 v1'.")],
    set: Annotated[str, typer.Option(help="Image set, frozen.")],
    study: Annotated[str, typer.Option(help="Study the run belongs to.")],
    title: Annotated[str, typer.Option(help="Purpose of the run.")] = "",
    wait: Wait = 0,
) -> None:
    """Ask for a run of a method on an image set. Every run on a set is counted, whatever comes of it."""
    fields = {"title": title or f"{method} on {set}", "method": method, "image_set": set, "study": study}
    _start(caller, fields, "", wait)


@app.command()
@calls
def reproduce(
    caller: Caller,
    number: Annotated[str, typer.Argument(help="The run to reproduce, such as RUN-2026-00001.")],
) -> None:
    """Compute a recorded run again and compare every value. Makes no record and counts as no run.

    Exit status 1 when a value differs by more than its tolerance.
    """
    found = caller.client().reproduce(number)
    if caller.json:
        show.as_json(found)
    else:
        _compared(found)
    if found["verdict"] == NOT_REPRODUCED:
        raise typer.Exit(FINDING)


def _compared(found: dict[str, Any]) -> None:
    show.say(f"{found['run']}  {found['verdict']}  {found['rows']} rows of {found['results']} compared")
    for one in found["differences"]:
        show.say(f"  row {one['row']} {one['column']}: {one['first']} recorded, {one['second']} now")
    if found["differing"] > len(found["differences"]):
        show.say(f"  … {found['differing']} values differ")
    digests = found["env_digest"]
    if digests["recorded"] != digests["again"]:
        show.warn("The environment is not the one the run was computed in.")


@app.command()
@calls
def again(
    caller: Caller,
    number: Annotated[str, typer.Argument(help="The run to repeat, such as RUN-2026-00001.")],
    purpose: Annotated[str, typer.Option(help="reprocess or investigation.")] = "investigation",
    title: Annotated[str, typer.Option(help="Purpose of the run.")] = "",
    reason: Annotated[str, typer.Option(help="Why it is run again.")] = "",
    wait: Wait = 0,
) -> None:
    """Ask for the same method on the same image set again; it counts as a run of its own."""
    earlier = caller.client().records.show(number)["fields"]
    fields: dict[str, Any] = {name: _reference(earlier[name]) for name in ("method", "image_set", "study")}
    fields |= {"title": title or f"Repeat {number}", "reason": purpose}
    _start(caller, fields, reason, wait)


def _reference(link: dict[str, Any]) -> str:
    return f"{link['number']} v{link['revision']}" if "revision" in link else str(link["number"])


def _start(caller: Caller, fields: dict[str, Any], reason: str, wait: float) -> None:
    receipt = signing.create(caller, TYPE, fields, reason, Components())
    caller.told(receipt)
    if wait:
        _await_end(caller, receipt.number, wait)


def _await_end(caller: Caller, number: str, wait: float) -> None:
    end = time.monotonic() + wait
    while True:
        record = caller.client().records.show(number)
        if record["state"] not in WAITING:
            break
        if time.monotonic() > end:
            show.warn(f"{number} is still {record['state']} after {wait:g} s; it goes on.")
            raise typer.Exit(UNDETERMINED)
        time.sleep(0.5)
    if not caller.json:
        show.say(f"{number}  {record['state']}")
    if record["state"] in ("failed", "aborted"):
        show.warn(f"{number} {record['state']}: {record['fields'].get('error', 'no error was recorded')}")
        raise typer.Exit(FINDING)
