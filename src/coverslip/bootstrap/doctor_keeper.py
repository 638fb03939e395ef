"""The doctor's look at the keeper: a watch that hangs says nothing, so that somebody else must.

Rules kept here: judged by what the duties keep in the database, by its clock; a process that is there and
does nothing is found like one that is not.
"""

from __future__ import annotations

from typing import Final

from coverslip.alerts import attempts, watching
from coverslip.bootstrap import wiring
from coverslip.bootstrap.doctor_line import Check, judge
from coverslip.settings import Home
from coverslip.store.watching_sql import PostgresWatch

LATE_S: Final = 120
"""Every duty looked at takes its turn each 16 s or oftener, and is tried again after 15 s."""
TURNS: Final = {
    attempts.POSITION: "failed attempts",
    watching.POSITION: "new entries",
    "clock": "the clock",
    "sequencer": "entries waiting for the tree",
}
NAME: Final = "the keeper is at work"


def keeper(home: Home) -> Check:
    """Find duties that have not taken their turn for two minutes while the installation is served."""
    with wiring.core(home, size=1) as core:
        ages = PostgresWatch(core.pool).ages()
    expected = f"each duty within {LATE_S} s of serving"
    never = [what for name, what in TURNS.items() if name not in ages]
    late = [f"{what}: {ages[name]:.0f} s ago" for name, what in TURNS.items() if ages.get(name, 0) > LATE_S]
    served = wiring.api_socket(home).exists()
    remedy = "Nobody watches meanwhile: see logs/keeper.log and logs/sequencer.log, and restart 'serve'."
    if served and late:
        return Check(NAME, "finding", expected, "; ".join(late), remedy)
    if never:
        remedy = "Serve the installation; the keeper begins by itself."
        return Check(NAME, "unknown", expected, f"never yet: {', '.join(never)}", remedy)
    return judge(NAME, True, expected, "every duty in time" if served else "not served", remedy)
