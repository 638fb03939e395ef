"""``coverslip ledger keys``: the keys that sign the log, and changing them."""

from __future__ import annotations

import typer

from coverslip.cli import show
from coverslip.cli.bootstrapping import HomeDir, bootstrap, the_home
from coverslip.cli.caller import AsJson

keys = typer.Typer(no_args_is_help=True, help="The keys that sign the log: list, rotate.")


@keys.command("list")
def list_keys(home: HomeDir = None, as_json: AsJson = False) -> None:
    """Show which key signed the log up to which size. The last one signs now."""
    found = bootstrap().keys_list(the_home(home))
    if as_json:
        show.as_json({"keys": found})
        return
    show.table(("after", "last", "key"), [[str(one[n]) for n in ("after", "last", "key")] for one in found])


@keys.command()
def rotate(home: HomeDir = None, as_json: AsJson = False) -> None:
    """Give the log a new key, stated on the log by the old one and the new one. The server must be stopped.

    The old private key is destroyed. Hand keys.txt over again; whoever trusts the old key need not.
    Interrupted, the same command goes on from where it was.
    """
    found = bootstrap().keys_rotate(the_home(home))
    show.as_json(found) if as_json else show.pairs(found.items())
