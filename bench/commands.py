"""The full command against django-pghistory: create and ten edits, each its own commit, one process.

Rules kept here: same server, same disk, turns taken, medians; ours is everything ``Door.submit`` does (session,
authority, guards, validation, reason, leaf, commitments, admission, projection) for one record with four links,
the peer's is a save of nine fields with its history, bare and with who and why in a transaction.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.lab import edited_fields, laboratory, session_fields
from bench.peer import peer
from bench.rows import Row, Size, plain, ratio
from coverslip.kernel.change import Change

REASON = "As asked for by the reviewer."


def series(lab: Any, count: int, fields: dict[str, Any]) -> int:
    """Create and edit ten times, ``count`` times; return the commits."""
    door, context = lab.door, lab.alan.context
    for _ in range(count):
        made = door.submit(Change("create", "acquisition_session", fields=fields), context).entries[0]
        for n in range(10):
            door.submit(
                Change("edit", "acquisition_session", made.number, 0, edited_fields(n), REASON, n + 1),
                context,
            )
    return 11 * count


@contextmanager
def clocked(store: Any, *names: str) -> Iterator[dict[str, list[float]]]:
    """Take the seconds of each call of the methods named."""
    spent: dict[str, list[float]] = {name: [] for name in names}
    before = {name: getattr(store, name) for name in names}

    def wrap(name: str) -> Any:
        def timed(*values: Any) -> Any:
            begin = time.perf_counter()
            try:
                return before[name](*values)
            finally:
                spent[name].append(time.perf_counter() - begin)

        return timed

    for name in names:
        setattr(store, name, wrap(name))
    try:
        yield spent
    finally:
        for name in names:
            delattr(store, name)


def measure(size: Size) -> list[Row]:
    """Return both ratios, what the command costs less its reading of facts, and where its time goes."""
    ours, less, bare, context = [], [], [], []
    with laboratory() as lab, peer(lab) as rival:
        fields = session_fields(lab)
        series(lab, 3, fields)
        rival.rate("plain", 3)
        rival.rate("context", 3)
        with clocked(lab.store, "facts", "commit") as spent:
            for _ in range(size.rounds):
                before = sum(spent["facts"])
                begin = time.perf_counter()
                commits = series(lab, size.series, fields)
                passed = time.perf_counter() - begin
                ours.append(commits / passed)
                less.append(commits / (passed - sum(spent["facts"]) + before))
                bare.append(rival.rate("plain", size.series))
                context.append(rival.rate("context", size.series))
    mine, held, a, b = (statistics.median(one) for one in (ours, less, bare, context))
    total = 11 * size.series * size.rounds
    facts, commit = (sum(spent[name]) / total * 1e6 for name in ("facts", "commit"))
    return [
        ratio("full command, one process", mine, "/s", "django-pghistory, context + transaction", b, least=1.25),
        ratio("full command, one process", mine, "/s", "django-pghistory, bare save", a),
        ratio(
            "full command less its reading of facts", held, "/s",
            "django-pghistory, context + transaction", b, least=1.7,
        ),
        plain("of a command: reading facts", facts, "us"),
        plain("of a command: the commit function", commit, "us"),
        plain("of a command: everything in Python", 1e6 / mine - facts - commit, "us"),
    ]  # fmt: skip
