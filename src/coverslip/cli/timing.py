"""The clock: which time sources an installation asks, and what they say now.

Rules kept here: nothing sets a clock, and nothing here loosens what signing asks of it.
"""

from __future__ import annotations

from typing import Annotated

import typer

from coverslip.cli import show
from coverslip.cli.bootstrapping import HomeDir, bootstrap, the_home
from coverslip.cli.caller import AsJson
from coverslip.cli.failing import FINDING

clock = typer.Typer(no_args_is_help=True, help="The clock: status against its sources, and naming them.")


@clock.command("set")
def set_sources(
    sources: Annotated[
        list[str], typer.Argument(help="chrony, or sntp:HOST or sntp:HOST:PORT; several agree.")
    ],
    home: HomeDir = None,
) -> None:
    """Name the time sources to ask from now on. The next heartbeat in the ledger says what they answered."""
    kept = bootstrap().clock_set(the_home(home), sources)
    show.say("asking " + ", ".join(kept))


@clock.command()
def status(home: HomeDir = None, as_json: AsJson = False) -> None:
    """Ask every source now. Exit 1 when people may not sign by this clock."""
    found = bootstrap().clock_status(the_home(home))
    if as_json:
        show.as_json(found)
    else:
        now, kept = found["now"], found["kept"]
        show.pairs(found["sources"].items() or [("sources", "none configured: 'coverslip clock set chrony'")])
        known = f"{now['off_us'] / 1e6:+.6f} s" if now["src"] != "none" else f"unknown: {now['why']}"
        last = f"{kept['measured_at']}, {'fresh' if kept['fresh'] else 'stale'}" if kept else "never"
        signing = "yes" if now["ok"] else "no"
        show.pairs([("database clock", known), ("people may sign", signing), ("kept by the keeper", last)])
    raise typer.Exit(0 if found["now"]["ok"] else FINDING)
