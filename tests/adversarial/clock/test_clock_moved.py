"""The database's clock is moved while an installation runs; the host's is left alone.

PostgreSQL runs with a library before it that moves its clock by the seconds a file says.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coverslip.bootstrap import founding, labs, wiring
from coverslip.bootstrap.checking import ledger_verify
from coverslip.bootstrap.duties import timekeeper
from coverslip.errors import EnvironmentFault
from coverslip.kernel import keys
from coverslip.kernel.clock import ClockState
from coverslip.kernel.events import NOBODY, Event
from coverslip.settings import Home
from coverslip.store.server import Cluster
from coverslip.store.signer import Signer
from coverslip.timekeeping.measuring import Measured
from coverslip.timekeeping.sources import Source, write_sources
from fix_lab import CHEAP, FOUNDERS, ORIGIN, SITE, secret_of
from fix_time import answer, time_server

HOUR = 3600


@dataclass
class Moved:
    """A running installation whose database shows the time ``move`` says."""

    home: Home
    core: wiring.Core
    file: Path

    def move(self, seconds: int) -> None:
        self.file.write_text(str(seconds))

    def write(self) -> None:
        self.core.events.installation(Event("anomaly", "probe", {"nonce": secrets.token_hex(4)}), NOBODY)

    def integrate(self) -> None:
        with closing(Signer(self.home.signer, ORIGIN)) as signer:
            sequencer = founding.sequencer_of(self.home, signer)
            sequencer.step()
            sequencer.close()

    def entries(self) -> int:
        return self.core.clock.last_entry()

    def state(self) -> ClockState:
        self.core.clock._known = None
        return self.core.clock.state()


@pytest.fixture
def moved(new_home: Callable[[], Path], native: Callable[[str], Path]) -> Iterator[Moved]:
    root = new_home()
    people = tuple(
        {"username": u, "name": n, "email": f"{u}@lab.example", "roles": list(r)} for u, n, r in FOUNDERS
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_COST", CHEAP)
        founding.init(
            root,
            founding.Founding(ORIGIN, "evaluation", SITE, people),
            {u: secret_of(u) for u, *_ in FOUNDERS},
        )
    file = root.parent / "moved"
    file.write_text("0")
    file.chmod(0o644)
    shim = {"LD_PRELOAD": str(native("fakeclock")), "FAKECLOCK_FILE": str(file)}
    home = Home(root)
    with Cluster(root, "evaluation", environment=shim).running(), wiring.core(home, size=4) as core:
        yield Moved(home, core, file)


def test_the_fake_moves_the_databases_clock_and_no_other(moved: Moved) -> None:
    before = moved.core.clock.database_s()
    moved.move(HOUR)
    assert abs(moved.core.clock.database_s() - before - HOUR) < 60


def test_while_the_clock_has_gone_back_nothing_is_written_and_reading_goes_on(moved: Moved) -> None:
    moved.write()
    moved.integrate()
    before = moved.entries()
    moved.move(-HOUR)
    with pytest.raises(EnvironmentFault) as refused:
        moved.write()
    assert refused.value.code == "CLOCK_BACK"
    assert 3500 < float(str(refused.value.values["behind"]).split()[0]) < 3700
    assert moved.entries() == before
    assert moved.core.reading.status()
    moved.move(0)
    moved.write()
    assert moved.entries() > before


def test_a_step_back_of_less_than_a_second_is_no_jump(moved: Moved) -> None:
    moved.move(1)
    moved.write()
    moved.integrate()
    moved.move(0)
    for _ in range(40):  # the file moves by whole seconds; within one second the clock has caught up
        try:
            moved.write()
            return
        except EnvironmentFault as error:
            assert error.code == "CLOCK_BACK"
    pytest.fail("the clock never caught up")


def test_a_source_that_confirms_the_clock_lets_writing_go_on_after_a_correction(moved: Moved) -> None:
    moved.move(HOUR)
    moved.write()
    moved.integrate()
    moved.move(0)
    with pytest.raises(EnvironmentFault):
        moved.write()
    moved.core.clock.keep(Measured(1200, 900, "sntp", "127.0.0.1:123"))
    moved.write()


@pytest.mark.parametrize(
    "measured",
    [
        Measured(why="no time source is configured"),
        Measured(-HOUR * 10**6, 900, "sntp", "x"),
        Measured(0, 2_000_000, "sntp", "x"),
    ],
    ids=["none", "an hour off", "too vague"],
)
def test_a_source_that_does_not_confirm_it_lets_nothing_go_on(moved: Moved, measured: Measured) -> None:
    moved.write()
    moved.integrate()
    moved.move(-HOUR)
    moved.core.clock.keep(measured)
    with pytest.raises(EnvironmentFault) as refused:
        moved.write()
    assert refused.value.code == "CLOCK_BACK"


def test_a_confirmation_from_before_the_jump_confirms_nothing(moved: Moved) -> None:
    moved.write()
    moved.integrate()
    moved.core.clock.keep(Measured(0, 900, "sntp", "x"))
    moved.move(-HOUR)
    with pytest.raises(EnvironmentFault):
        moved.write()


def test_idle_since_long_a_jump_back_is_seen_by_what_the_clock_showed_last(moved: Moved) -> None:
    moved.move(3 * HOUR)
    moved.core.clock.keep(Measured(why="no time source is configured"))
    moved.move(0)
    with pytest.raises(EnvironmentFault) as refused:
        moved.write()
    assert refused.value.code == "CLOCK_BACK"


def test_a_jump_forward_is_written_through_and_found_by_the_duty(moved: Moved) -> None:
    moved.write()
    moved.move(HOUR)
    moved.write()
    moved.integrate()


@pytest.mark.parametrize("seconds", [200, -200])
def test_what_was_measured_long_ago_or_in_the_future_is_unknown(moved: Moved, seconds: int) -> None:
    moved.core.clock.keep(Measured(250, 900, "chrony", "x"))
    assert moved.state() == ClockState(250, "chrony", True)
    moved.move(seconds)
    assert moved.state() == ClockState()


def test_moving_the_memory_of_the_clock_is_not_for_the_writer(moved: Moved) -> None:
    with wiring.connection(moved.home, "cs_writer") as conn:
        for statement in (
            "update ops.clock set latest_at = '2000-01-01'",
            "delete from ops.clock",
            "insert into ops.clock select * from ops.clock",
            "update ledger.tree set at = '2000-01-01'",
            "create or replace function ops.check_clock(timestamptz) returns void language sql as ''",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


def test_the_duty_writes_heartbeats_and_the_jump_and_all_of_it_verifies(moved: Moved) -> None:
    with labs.lab(moved.home) as lab, time_server(lambda q: [answer(q)]) as port:
        write_sources(moved.home.clock, [Source("sntp", "127.0.0.1", port)])
        duty = timekeeper(lab)
        duty.do()
        moved.integrate()
        assert moved.state().ok
        moved.move(-HOUR)
        with pytest.raises(EnvironmentFault):
            duty.do()
        moved.move(0)
        duty.do()
        moved.integrate()
        assert moved.state().ok
    found = [leaf["type"] for leaf in leaves(moved) if leaf["record"]["kind"] == "installation"]
    assert found.count("heartbeat") >= 1
    assert found.count("anomaly") == 2  # back, and forth again
    clocks = [leaf["clock"] for leaf in leaves(moved) if leaf["type"] == "anomaly"]
    assert all(clock["src"] == "sntp" for clock in clocks)
    findings, _ = ledger_verify(moved.home.root)
    assert findings == []


def test_a_clock_set_back_past_every_guard_and_forth_again_is_found_in_the_order(moved: Moved) -> None:
    """The dishonest operator takes the database's memory of time away, and dates one entry an hour back."""
    moved.write()
    moved.integrate()
    assert ledger_verify(moved.home.root)[0] == []
    with wiring.connection(moved.home, "cs_superuser") as conn:
        conn.execute("update ledger.tree set at = '2000-01-01'")
        conn.execute("delete from ops.clock")
    moved.move(-HOUR)
    moved.write()
    moved.integrate()
    moved.move(0)
    moved.write()
    moved.integrate()
    found = [f for f in ledger_verify(moved.home.root)[0] if f["kind"] == "time"]
    assert len(found) == 1
    assert found[0]["entry"] == len(leaves(moved)) - 2
    assert "before an earlier entry" in found[0]["message"]


def leaves(moved: Moved) -> list[dict[str, Any]]:
    with moved.core.pool.connection() as conn:
        rows = conn.execute(
            "select convert_from(leaf, 'UTF8')::jsonb from ledger.entry order by id"
        ).fetchall()
    return [row[0] for row in rows]
