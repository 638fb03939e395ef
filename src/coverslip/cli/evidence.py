"""Operators' commands for completeness and recovery: heads, gaps, receipts, and the way out of quarantine.

Rules kept here: a recovery is a ceremony of two people at one terminal; each types the password of their own
key without echo while the other looks away, and nothing is signed before both have read what is lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli import asking, show
from coverslip.cli.bootstrapping import HomeDir, bootstrap, conclude, the_home
from coverslip.cli.caller import AsJson
from coverslip.cli.failing import FINDING, HOLDS
from coverslip.cli.fields import split
from coverslip.client.device import read_private
from coverslip.client.errors import misuse


def heads(home: HomeDir = None, as_json: AsJson = False) -> None:
    """Enter the heads of all records now, as the keeper does each night, and print what was entered."""
    found = bootstrap().ledger_heads(the_home(home))
    show.as_json(found) if as_json else show.pairs(found.items())


def gaps(home: HomeDir = None, as_json: AsJson = False) -> None:
    """List numbers no record has, entry ids never used, and leaves that are missing.

    Unused entry ids are rolled back transactions and harmless. A missing leaf is a finding: exit 1.
    """
    found = bootstrap().ledger_gaps(the_home(home))
    if as_json:
        show.as_json(found)
    else:
        for one in found["numbers"]:
            span = str(one["first"]) if one["first"] == one["last"] else f"{one['first']} to {one['last']}"
            show.say(f"{one['prefix']} {span}: {'; '.join(one['why'])}")
        for one in found["leaves"]:
            show.say(f"FINDING leaves {one['first']} to {one['last']} are missing")
        show.say(
            f"{found['unissued_numbers']} numbers not issued, {found['unused_entry_ids']} entry ids not used"
            f" (harmless), {found['missing_leaves']} leaves missing"
        )
    raise typer.Exit(FINDING if found["leaves"] else HOLDS)


def receipt(
    file: Annotated[Path, typer.Argument(help="Signed pending receipts, as the server answered them.")],
    home: HomeDir = None,
    as_json: AsJson = False,
) -> None:
    """Check that what was accepted is on the ledger. Exit 1 when an accepted entry is not, or was changed."""
    conclude("ledger receipt", bootstrap().receipt_check(the_home(home), file), as_json)


def recover(
    home: HomeDir = None,
    qa: Annotated[str, typer.Option(help="User name of who signs as QA.")] = "",
    adm: Annotated[str, typer.Option(help="User name of who signs as ADM, somebody else.")] = "",
    reason: Annotated[str, typer.Option(help="Why the signed history cannot be put back.")] = "",
    password_file: Annotated[
        list[str] | None,
        typer.Option(metavar="USERNAME=PATH", help="File (mode 0600) with that person's password."),
    ] = None,
    show_only: Annotated[bool, typer.Option("--show", help="Only show what would be declared lost.")] = False,
    database_url: Annotated[
        str, typer.Option(help="The site's own server: a superuser, used once and not kept.")
    ] = "",
) -> None:
    """Lead an installation out of quarantine: two people declare, by their own keys, what is lost.

    Never for one person alone. What is lost stays on the ledger and in every report.
    """
    root, parts = the_home(home), bootstrap()
    found = parts.situation(root)
    show.say(f"Signed were {found['signed']} entries; the database has {found['found']}.")
    show.say(f"Both have the first {found['kept']} in common. Declared lost are {found['lost']}.")
    if show_only:
        return
    people = {
        "QA": asking.line("User name of who signs as QA", qa),
        "ADM": asking.line("User name of who signs as ADM", adm),
    }
    said = asking.line("Why the signed history cannot be put back", reason)
    files = dict(split(text, "--password-file") for text in password_file or ())
    passwords = {}
    for username in people.values():
        if username in files:
            lines = read_private(Path(files[username]), "a password file").splitlines()
            if not lines:
                raise misuse(files[username], "a password", "an empty file")
            passwords[username] = lines[0]
        else:
            show.say(f"{username}, type your password; the other looks away.")
            passwords[username] = asking.password(f"Password of {username}")
    done = parts.recover(root, people, passwords, said, database_url)
    show.say(f"Recovered: {done['statement']}.")
    show.say(f"The ledger has {done['size']} entries. Next: coverslip ledger verify, then coverslip serve.")


def add(ledger: typer.Typer) -> None:
    """Add these commands to ``coverslip ledger``."""
    for command in (heads, gaps, receipt, recover):
        ledger.command()(command)
