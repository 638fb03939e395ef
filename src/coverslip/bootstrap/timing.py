"""Timing: what an operator asks of the clock, and which sources an installation asks.

Rules kept here: naming sources changes no record and loosens nothing; the next heartbeat says which
source was asked and what it said. Nothing here sets a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coverslip.bootstrap import wiring
from coverslip.kernel.clock import wall_s
from coverslip.settings import Home
from coverslip.store.clock_sql import PostgresClock
from coverslip.store.pool import Pool
from coverslip.timekeeping.measuring import measure
from coverslip.timekeeping.reading import Unknown
from coverslip.timekeeping.sources import ask, parse_all, read_sources, write_sources


def clock_set(root: Path, sources: Sequence[str]) -> list[str]:
    """Name the time sources of an installation; return them as kept. Raises ``ENVIRONMENT`` for a bad one."""
    home = Home(root)
    wiring.installation(home)
    named = parse_all(sources)
    write_sources(home.clock, named)
    return [str(one) for one in named]


def clock_status(root: Path) -> dict[str, Any]:
    """Ask every source now and read what the keeper measured last.

    ``now`` is measured for this call and kept nowhere; ``kept`` is what entries carry, with ``fresh``
    false once it is older than 150 s.
    """
    home = Home(root)
    wiring.installation(home)
    sources = read_sources(home.clock)
    each = {}
    for one in sources:
        found = ask((one,), wall_s)
        each[str(one)] = found.why if isinstance(found, Unknown) else f"{found.offset_us / 1e6:+.6f} s"
    with wiring.database(home), Pool(wiring.conninfo(home, "cs_writer"), name="clock", size=1) as pool:
        clock = PostgresClock(pool)
        now, kept = measure(sources, wall_s, clock.database_s), clock.read()
    return {"sources": each, "now": now.value(), "kept": kept or {}}
