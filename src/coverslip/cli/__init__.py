"""The command line: people and devices as clients of a running server, operators at the installation.

Exit codes everywhere: 0 holds, 1 a finding or a refusal, 2 wrong usage or untrusted keys, 3 could not be
determined.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from coverslip import __version__
from coverslip.cli import (
    accounts,
    agent,
    beside,
    events,
    files,
    operator,
    organisation,
    past,
    people,
    record,
    refining,
    retention,
    review,
    runs,
    scope,
    training,
    witness,
    work,
)
from coverslip.cli.failing import tell, unforeseen
from coverslip.client import ApiError
from coverslip.errors import CoverslipError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="The system of record for regulated microscopy.\n\n"
    "Exit codes: 0 holds, 1 a finding or a refusal, 2 wrong usage or untrusted keys, 3 could not be"
    " determined.",
)  # fmt: skip


def _version(wanted: bool) -> None:
    if wanted:
        print(f"coverslip {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


people.add(app)
app.add_typer(record.app, name="record")
app.add_typer(refining.app, name="type")
beside.add(record.app)
app.command()(record.sign)
work.add(app)
app.add_typer(retention.app, name="retention")
app.command()(past.authority)
files.add(app)
app.add_typer(runs.app, name="run")
app.add_typer(review.app, name="review")
scope.add(app)
events.add(app)
app.add_typer(training.app, name="training")
app.add_typer(organisation.user, name="user")
app.add_typer(accounts.alert, name="alert")
app.add_typer(organisation.role, name="role")
app.add_typer(organisation.device, name="device")
app.add_typer(agent.app, name="agent")
operator.add(app)
app.add_typer(witness.witness, name="witness")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every failure is one coded sentence on stderr."""
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="coverslip")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except (ApiError, CoverslipError) as error:
        return tell(error)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # nothing unforeseen may print a trace or end as if it were fine
        return unforeseen(error)
    return 0
