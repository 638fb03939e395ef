"""The full command against django-pghistory: create and ten edits, each its own commit, one process.

Rules kept here: same server, same disk, turns taken, medians. Ours is everything ``Door.submit`` does
(session, authority, guards, validation, reason, leaf, commitments, admission, projection) for one record
with four links; *facts read*: two sessions take turns, so that each change starts from what it reads;
*facts held*: one session goes on from its own last change. The peer's is a save of nine fields with its
history, bare, and with who and why in a transaction.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bench.lab import edited_fields, laboratory, session_fields
from bench.peer import peer
from bench.rows import Row, Size, plain, ratio
from coverslip.kernel.change import Change, Context

CONTEXT = "django-pghistory, context + transaction"
BARE = "django-pghistory, bare save"
REASON = "As asked for by the reviewer."


def series(door: Any, contexts: Sequence[Context], count: int, fields: dict[str, Any]) -> int:
    """Create and edit ten times, ``count`` times, the sessions taking turns; return the commits."""
    for _ in range(count):
        turns = itertools.cycle(contexts)
        change = Change("create", "acquisition_session", fields=fields)
        made = door.submit(change, next(turns)).entries[0]
        for n in range(10):
            change = Change("edit", "acquisition_session", made.number, 0, edited_fields(n), REASON, n + 1)
            door.submit(change, next(turns))
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
    """Return the command with facts read and with facts held against the peer, and where its time goes."""
    read, held, bare, context = (list[float]() for _ in range(4))
    with laboratory() as lab, peer(lab) as rival:
        fields = session_fields(lab)
        one, two = lab.alan.context, lab.sign_in("alan").context
        with clocked(lab.store, "facts", "commit") as spent:

            def rate(*contexts: Context) -> float:
                begin = time.perf_counter()
                return series(lab.door, contexts, size.series, fields) / (time.perf_counter() - begin)

            facts, commit = 0.0, 0.0
            for turn in range(size.rounds + 1):
                for calls in spent.values():
                    calls.clear()
                read.append(rate(one, two))
                if turn:  # the first was to get warm
                    facts += sum(spent["facts"])
                    commit += sum(spent["commit"])
                held.append(rate(one))
                bare.append(rival.rate("plain", size.series))
                context.append(rival.rate("context", size.series))
    cold, warm, plainly, wholly = (statistics.median(one[1:]) for one in (read, held, bare, context))
    commits = 11 * size.series * size.rounds
    whole = statistics.fmean(1 / one for one in read[1:]) * 1e6
    facts, commit = facts / commits * 1e6, commit / commits * 1e6
    return [
        ratio("full command, facts read", cold, "/s", CONTEXT, wholly, least=1.25),
        ratio("full command, facts read", cold, "/s", BARE, plainly),
        ratio("full command, facts held", warm, "/s", CONTEXT, wholly, least=1.7),
        ratio("full command, facts held", warm, "/s", BARE, plainly),
        plain("of a command: reading facts", facts, "us"),
        plain("of a command: the commit function", commit, "us"),
        plain("of a command: everything in Python", whole - facts - commit, "us"),
    ]
