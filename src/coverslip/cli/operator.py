"""Operators' commands: they touch the installation itself and run on its machine."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli import anchoring, backing, evidence, founding, log_keys, migrating, show
from coverslip.cli.bootstrapping import HomeDir, bootstrap, conclude, the_home
from coverslip.cli.caller import AsJson
from coverslip.cli.failing import FINDING, HOLDS, UNDETERMINED
from coverslip.cli.progress import steps
from coverslip.cli.timing import clock

ledger = typer.Typer(
    no_args_is_help=True, help="The ledger: status, verify, replay, checkpoint, anchor, proof."
)
UNCHECKED = ("admissions_unchecked", "unchecked_evidence", "witnesses_silent")
"""Counts of a verification that say what it could not look at."""
vault = typer.Typer(no_args_is_help=True, help="Stored files: check them all, locate those of a record.")


def serve(
    home: HomeDir = None,
    only: Annotated[str | None, typer.Option(help="'database' starts the database alone.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on beside the private socket.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate with its chain (PEM); needed off the loopback.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="Its private key (PEM, mode 0600, without a passphrase).")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Host name browsers use, beside those in the certificate; may be repeated."),
    ] = None,
    database_url: Annotated[
        str,
        typer.Option(help="For the set-up: superuser and empty database of the site's own PostgreSQL."),
    ] = "",
) -> None:
    """Run the installation until stopped. Prints 'ready: unix:PATH' once it takes requests.

    With --port and an empty home it serves the set-up first: open the address it prints, and enter the code.
    """
    parts = bootstrap()
    place = parts.listening(host, port, tls_cert, tls_key, name or ())
    parts.serve(the_home(home), only, place, database_url=database_url)


def doctor(home: HomeDir = None, as_json: AsJson = False) -> None:
    """Check what the installation stands on, with a remedy for each thing amiss.

    A warning is what an evaluation may lack and a regulated installation may not. Exit 1 when something is
    wrong, 3 when something could not be determined.
    """
    found = bootstrap().doctor(the_home(home))
    if as_json:
        show.as_json({"checks": found})
    else:
        for check in found:
            show.say(f"{check['state']:<8} {check['check']}: {check['found']}")
            if check["state"] != "ok":
                if check.get("expected"):
                    show.say(f"         expected: {check['expected']}")
                if check.get("remedy"):
                    show.say(f"         {check['remedy']}")
    verdicts = [check["ok"] for check in found]
    raise typer.Exit(
        FINDING if False in verdicts else UNDETERMINED if None in verdicts or not verdicts else HOLDS
    )


def demo(
    home: Annotated[
        Path | None, typer.Option("--home", envvar="COVERSLIP_HOME", help="Where to put the demonstration.")
    ] = None,
    living: Annotated[
        bool, typer.Option("--living", help="Serve a laboratory with weeks of work; found it where none is.")
    ] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the living laboratory.")] = 8480,
) -> None:
    """Run the main job end to end on real images: from capture to a verified evidence bundle."""
    bootstrap()
    if living:
        raise typer.Exit(importlib.import_module("coverslip.cli.demo.living").serve(home, port))
    raise typer.Exit(importlib.import_module("coverslip.cli.demo.story").run(home))


def verify(
    bundle: Annotated[Path, typer.Argument(help="The evidence bundle.")],
    keys: Annotated[Path, typer.Option(help="Keys you trust, obtained apart from the bundle.")],
    anchors: Annotated[Path | None, typer.Option(help="Folder of checkpoints held independently.")] = None,
    max_anchor_age_hours: Annotated[
        float | None, typer.Option(help="Oldest anchor accepted at export.")
    ] = None,
    tsa_roots: Annotated[
        Path | None, typer.Option(help="Root certificates of timestamp authorities you trust (PEM).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check an evidence bundle offline, by its bytes and your keys alone.

    Exit 0 holds, 1 a finding, 2 wrong usage or untrusted keys, 3 could not be determined.
    """
    from coverslip.verifier.cli import main

    given = [str(bundle), "--keys", str(keys)]
    given += ["--anchors", str(anchors)] if anchors else []
    given += ["--max-anchor-age-hours", str(max_anchor_age_hours)] if max_anchor_age_hours is not None else []
    given += ["--tsa-roots", str(tsa_roots)] if tsa_roots else []
    raise typer.Exit(main([*given, "--json"] if as_json else given))


@ledger.command()
def status(home: HomeDir = None, as_json: AsJson = False) -> None:
    """Show size and root of the tree, the last checkpoint, and what waits."""
    found = bootstrap().ledger_status(the_home(home))
    if as_json:
        show.as_json(found)
        return
    places = found.pop("anchors", [])
    show.pairs([*found.items(), *((f"anchor {one['name']}", one["sentence"]) for one in places)])


@ledger.command("verify")
def verify_ledger(
    home: HomeDir = None,
    anchors: Annotated[Path | None, typer.Option(help="Folder of checkpoints held elsewhere.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry, commitment, signature and checkpoint. Exit 1 with each finding.

    Exit 3 when something could not be checked: the admission key is gone, a witness listed does not answer,
    evidence is of a place no longer listed, or no checkpoint of this log is in --anchors. What a recovery
    declared lost is said every time, and is no finding.
    """
    root = the_home(home)
    notes = bootstrap().recoveries(root)
    result = bootstrap().ledger_verify(root, anchors)
    conclude("ledger verify", result, as_json, notes=notes, unchecked=UNCHECKED)


@ledger.command()
def replay(home: HomeDir = None, as_json: AsJson = False) -> None:
    """Rebuild the current state from the ledger and compare it with what is shown."""
    conclude("ledger replay", bootstrap().ledger_replay(the_home(home)), as_json)


@ledger.command()
def checkpoint(home: HomeDir = None) -> None:
    """Sign the tree as it is and print the checkpoint."""
    show.say(bootstrap().checkpoint(the_home(home)).rstrip("\n"))


@ledger.command()
def anchor(
    target: Annotated[
        Path, typer.Argument(help="File or folder outside this installation, best on another host.")
    ],
    home: HomeDir = None,
    as_json: AsJson = False,
) -> None:
    """Put the last checkpoint where this installation cannot change it."""
    found = bootstrap().anchor(the_home(home), target)
    show.as_json(found) if as_json else show.pairs(found.items())


@ledger.command()
def proof(
    index: Annotated[int, typer.Argument(min=0, help="Index of the entry.")], home: HomeDir = None
) -> None:
    """Print the proof that an entry is in the tree of the last checkpoint."""
    show.say(bootstrap().entry_proof(the_home(home), index).rstrip("\n"))


@vault.command()
def check(
    replica: Annotated[
        list[Path] | None, typer.Option(help="Another vault, or a folder of backups, to mend from.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Set damaged files aside and put them back from a replica.")
    ] = False,
    home: HomeDir = None,
    as_json: AsJson = False,
) -> None:
    """Read every stored file and compare it with its hash. Exit 1 with each finding, mended or not."""
    with steps("reading stored files") as progress:
        result = bootstrap().vault_check(
            the_home(home),
            lambda done, total: progress(f"{done} of {total} stored files read"),
            replica or (),
            repair,
        )
    # A vault without files holds when no record names one; the check has compared both.
    conclude("vault check", result, as_json, may_be_empty=True)


@vault.command()
def locate(
    number: Annotated[str, typer.Argument(help="The record's number.")],
    home: HomeDir = None,
    as_json: AsJson = False,
) -> None:
    """Say where the files of a record lie."""
    found = bootstrap().vault_locate(the_home(home), number)
    if as_json:
        show.as_json(found)
        return
    columns = tuple(found[0]) if found else ()
    show.table(columns, [[item.get(name, "") for name in columns] for item in found], "No files.")


def add(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(founding.init)
    for command in (serve, doctor, migrating.migrate, backing.backup, backing.restore, demo, verify):
        app.command()(command)
    app.add_typer(clock, name="clock")
    ledger.add_typer(anchoring.anchors, name="anchors")
    ledger.add_typer(log_keys.keys, name="keys")
    ledger.command()(backing.certificates)
    evidence.add(ledger)
    app.add_typer(ledger, name="ledger")
    app.add_typer(vault, name="vault")
