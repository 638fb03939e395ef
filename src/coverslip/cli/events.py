"""The event feed on the command line: what happened, in order, once or as it happens."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from coverslip.cli import show
from coverslip.cli.caller import Caller, calls

POLL_S = 2.0


def line(event: dict[str, Any]) -> str:
    """Return one event as people read it: when, which record, act, state, who."""
    record = event["number"] or event["type"]
    state = f" -> {event['state']}" if event.get("state") else ""
    act = event.get("act", "unreadable, see 'coverslip ledger verify'")
    return f"{event['cursor']}  {event.get('at', '')}  {record} v{event['version']}  {act}{state}" + (
        f"  {event['actor']['name'] or event['actor']['uid']}"
    )


@calls
def events(
    caller: Caller,
    after: Annotated[str, typer.Option(help="Go on behind this cursor; without it, from the first.")] = "",
    type: Annotated[str, typer.Option("--type", help="A record type, session or installation.")] = "",
    follow: Annotated[bool, typer.Option(help="Wait for more until interrupted.")] = False,
) -> None:
    """List what is on the ledger, oldest first; --json prints one event a line.

    For inspectors, quality, security and administrators.
    """
    client = caller.client()
    while True:
        found, after = client.events(after, type=type)
        for event in found:
            show.say(json.dumps(event, ensure_ascii=True) if caller.json else line(event))
        if found:
            continue
        if not follow:
            return
        time.sleep(POLL_S)


def add(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(events)
