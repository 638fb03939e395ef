"""``coverslip witness``: a small program for another machine that holds one history of each log it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli import show
from coverslip.cli.bootstrapping import bootstrap
from coverslip.cli.caller import AsJson

witness = typer.Typer(
    no_args_is_help=True,
    help="A witness of logs, for a machine of its own: found it, name logs, serve, look at it.",
)
Folder = Annotated[Path, typer.Argument(help="The witness's own folder.")]


@witness.command("init")
def found_witness(
    folder: Folder,
    name: Annotated[str, typer.Option(help="Name of the witness, such as witness.example/w1.")],
    log: Annotated[list[str] | None, typer.Option(help="Verifier key of a log, from its keys.txt.")] = None,
    as_json: AsJson = False,
) -> None:
    """Found a witness with a key of its own and print its public key."""
    found = bootstrap().witness_init(folder, name, log or [])
    show.as_json(found) if as_json else show.say(found["key"])


@witness.command()
def know(
    folder: Folder, log: Annotated[list[str], typer.Option(help="Verifier key of a log, from its keys.txt.")]
) -> None:
    """Accept a log by its key, or a further key of it. The witness must be stopped."""
    for origin in bootstrap().witness_know(folder, log):
        show.say(f"known: {origin}")


@witness.command()
def serve(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one.")] = 8754,
    certificate: Annotated[
        Path | None, typer.Option(help="TLS certificate (PEM); needed off the loopback.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Key of the certificate (PEM).")] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Keep a copy of all leaves as well.")] = False,
) -> None:
    """Cosign what extends what was cosigned, and nothing else, until stopped."""
    bootstrap().witness_serve(folder, host, port, certificate, key, mirror)


@witness.command()
def status(folder: Folder, as_json: AsJson = False) -> None:
    """Show its key, and what it holds of each log. The witness must be stopped."""
    found = bootstrap().witness_status(folder)
    if as_json:
        show.as_json(found)
        return
    show.say(found["key"])
    columns = ("origin", "size", "root", "mirrored", "conflict_bytes", "forked")
    show.table(columns, [[str(log[name]) for name in columns] for log in found["logs"]], "No logs.")
