"""``migrate``: bring an installation to this release."""

from __future__ import annotations

from typing import Annotated

import typer

from coverslip.cli import show
from coverslip.cli.bootstrapping import HomeDir, bootstrap, the_home
from coverslip.cli.caller import AsJson
from coverslip.cli.progress import steps


def migrate(
    home: HomeDir = None,
    postgres: Annotated[
        int | None,
        typer.Option(help="Major version of PostgreSQL to move to; the old data is kept beside the new."),
    ] = None,
    database_url: Annotated[
        str, typer.Option(help="The site's own server: a superuser, used once and not kept.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Bring an installation to this release. Forward only; each step goes on the log. Back it up first."""
    root, parts = the_home(home), bootstrap()
    if postgres is None:
        done = parts.migrate(root, database_url)
    else:
        with steps("moving") as progress:
            done = parts.move(root, postgres, database_url, progress)
    if as_json:
        show.as_json({"applied": done.applied, "defined": done.defined, "entries": done.entries} | (
            {"database": done.moved} if done.moved else {}))  # fmt: skip
        return
    for name in done.applied:
        show.say(f"applied {name}")
    for name in done.defined:
        show.say(f"defined {name}")
    if done.moved:
        show.say(f"moved from PostgreSQL {done.moved['from']} to {done.moved['to']}")
    show.say(
        f"{len(done.applied)} migrations applied, {len(done.defined)} types defined,"
        f" {done.entries} entries on the log"
    )
