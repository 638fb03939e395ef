"""``migrate``: bring an installation to this release."""

from __future__ import annotations

from typing import Annotated

import typer

from coverslip.cli import show
from coverslip.cli.bootstrapping import HomeDir, bootstrap, the_home
from coverslip.cli.caller import AsJson


def migrate(
    home: HomeDir = None,
    database_url: Annotated[
        str, typer.Option(help="The site's own server: a superuser, used once and not kept.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Bring an installation to this release. Forward only; each step goes on the log. Back it up first."""
    done = bootstrap().migrate(the_home(home), database_url)
    if as_json:
        show.as_json({"applied": done.applied, "defined": done.defined, "entries": done.entries})
        return
    for name in done.applied:
        show.say(f"applied {name}")
    for name in done.defined:
        show.say(f"defined {name}")
    show.say(
        f"{len(done.applied)} migrations applied, {len(done.defined)} types defined,"
        f" {done.entries} entries on the log"
    )
