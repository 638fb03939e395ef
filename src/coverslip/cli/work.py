"""What is mine to do, and what others did since I last looked."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from coverslip.cli import show
from coverslip.cli.caller import Caller, calls


def add(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(work)
    app.command()(notices)


@calls
def work(
    caller: Caller,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 50,
) -> None:
    """List records that wait for something you may do, the most urgent first."""
    found = list(caller.client().work(limit=limit))
    if caller.json:
        show.as_json({"work": found})
        return
    rows = [
        (i["label"], i["state"], i["due"] + _late(i), _to_do(i), i["title"].replace("\n", " ")) for i in found
    ]
    show.table(("number", "state", "due", "to do", "title"), rows, "Nothing waits for you.")


def _late(item: dict[str, Any]) -> str:
    days = item["overdue_days"]
    return f" ({days} day{'s' if days > 1 else ''} late)" if days else ""


def _to_do(item: dict[str, Any]) -> str:
    """Return the acts that are open, or why none is."""
    if item["on_hold"]:
        return "on hold: " + ", ".join(hold["number"] for hold in item["on_hold"])
    can = [f"{a['act']}{' (signed)' if a['signed'] else ''}" for a in item["acts"] if a["allowed"]]
    return ", ".join(can) or f"not yet: {item['acts'][0]['why_not']}"


@calls
def notices(
    caller: Caller,
    keep: Annotated[bool, typer.Option("--keep", help="Show the same again next time.")] = False,
) -> None:
    """Show what others did to records you watch, made or own, since you last looked."""
    client, events = caller.client(), []
    page = client.happened()
    events += page["events"]
    while page["more"]:
        page = client.happened(after=page["next"])
        events += page["events"]
    if caller.json:
        show.as_json({"events": events, "next": page["next"]})
    else:
        rows = [(e["at_text"], e["label"], e["act"], e["by"], e["state"], e["why"]) for e in events]
        show.table(("time", "number", "act", "by", "state now", "why told"), rows, "Nothing new.")
    if not keep:  # only what was shown counts as seen
        client.seen(page["next"])
