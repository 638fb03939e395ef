"""Completeness: heads, gaps and receipts, as an operator asks for them.

Rules kept here: everything is read with a role that cannot write, except ``ledger_heads``, which enters
what the keeper enters each night, in the name of the installation's own account.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coverslip.bootstrap import duties, wiring
from coverslip.bootstrap.labs import lab
from coverslip.errors import NotFound
from coverslip.settings import Home
from coverslip.store.heads import HeadsReading


def ledger_heads(root: Path) -> dict[str, Any]:
    """Enter the heads of all records now and return what was entered. Raises NOT_FOUND on an empty log."""
    home = Home(root)
    wiring.installation(home)
    with wiring.database(home), lab(home) as found:
        entered = duties.heads(found).enter()
    if entered is None:
        raise NotFound("NOT_FOUND", what="record", record="on this ledger")
    return entered.value()


def ledger_heads_now(root: Path) -> dict[str, Any]:
    """Return the heads of what is in the tree now; nothing is written."""
    home = Home(root)
    with wiring.database(home), wiring.core(home, size=1) as core:
        return HeadsReading(core.pool).now().value()


def ledger_heads_newest(root: Path) -> dict[str, Any] | None:
    """Return the newest heads entry: its tree index, its time and what it says; None where there is none."""
    home = Home(root)
    with wiring.database(home), wiring.core(home, size=1) as core:
        found = HeadsReading(core.pool).newest()
    return None if found is None else {"index": found.index, "at": found.at, **found.heads.value()}
