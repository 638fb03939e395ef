"""Review cases: what waits for an answer, every item as it is, the trail of everything under review.

Rules kept here: printing an item is opening it, and the server enters it; nothing else counts as opened.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from coverslip.cli import show as printing
from coverslip.cli.caller import Caller, calls

app = typer.Typer(no_args_is_help=True, help="Review cases: exceptions, items to open, the trail.")
Number = Annotated[str, typer.Argument(help="The review case, such as RVC-2026-00001.")]


@app.command()
@calls
def show(caller: Caller, number: Number) -> None:
    """Print exceptions, conditions and what is not opened yet. This opens nothing."""
    found = caller.client().reviews.show(number)
    if caller.json:
        printing.as_json(found)
        return
    covered = found["coverage"]
    printing.say(f"{found['number']}  {found['state']}  {found['subject']['label']}  {found['title']}")
    printing.say(
        f"Opened: {covered['needed_opened']} of {covered['needed']} items that must be,"
        f" {covered['trail_opened']} of {covered['trail_pages']} pages of the trail"
    )
    for one in found["exceptions"]:
        mark = "answered" if one["answer"] else "to answer" if one["needed"] else "note"
        printing.say(f"  {one['key']}  {one['severity']}, {mark}: {one['sentence']}")
    for one in found["conditions"]:
        why = "" if one["met"] else f": {'; '.join(one['unmet'])}"
        printing.say(f"  {'holds ' if one['met'] else 'waits '} {one['says']}{why}")
    for one in found["arrived"]:
        printing.warn(f"{one['record']}: {one['new']} new entries since you began.")


@app.command("open")
@calls
def open_items(
    caller: Caller,
    number: Number,
    key: Annotated[str, typer.Argument(help="One item; left out, every one that must be opened.")] = "",
) -> None:
    """Print items with their evidence. That they were sent to you is recorded."""
    reviews = caller.client().reviews
    for one in [reviews.item(number, key)] if key else reviews.needed(number):
        if caller.json:
            printing.as_json(one)
        else:
            _item(one)


def _item(one: dict[str, Any]) -> None:
    if one["kind"] == "record":
        printing.say(one["text"])
        return
    printing.say(f"{one['severity']}: {one['sentence']}")
    for change in (one["entry"] or {}).get("changes", ()):
        printing.say(f"  {change['field']}: {change['old'] or '(empty)'} → {change['new'] or '(empty)'}")
    printing.say("")


@app.command()
@calls
def trail(caller: Caller, number: Number) -> None:
    """Print the trail of the subject and of every record linked to it, newest first; that is recorded."""
    for one in caller.client().reviews.trail(number):
        if caller.json:
            printing.as_json(one)
            continue
        said = "; ".join(f"{c['field']}: '{c['old']}' → '{c['new']}'" for c in one["changes"][:3])
        printing.say(
            f"{one['at_text']}  {one['record']}  {one['act']}  {one['actor_name']}"
            f"{'  ' + said if said else ''}{'  Reason: ' + one['reason'] if one['reason'] else ''}"
        )
