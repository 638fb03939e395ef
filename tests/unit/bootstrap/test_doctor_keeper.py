"""A keeper that hangs is found: nobody else would say that nobody watches."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from coverslip.bootstrap import wiring
from coverslip.bootstrap.doctor_keeper import LATE_S, TURNS, keeper
from coverslip.settings import Home


def taken(home: Home, age_s: dict[str, int]) -> None:
    """Let the duties have taken their last turn so many seconds ago."""
    with psycopg.connect(wiring.conninfo(home, "cs_superuser"), autocommit=True) as conn:
        conn.execute("delete from ops.position")
        conn.execute("delete from ops.clock")
        for name, age in age_s.items():
            values: dict[str, Any] = {"n": name, "s": age}
            if name == "clock":
                conn.execute(
                    "insert into ops.clock"
                    " (offset_us, error_us, source, server, why, ok, measured_at, latest_at)"
                    " select 0, 0, 'none', '', '', false, t, t"
                    " from (select clock_timestamp() - %(s)s * interval '1 s' as t) x",
                    values,
                )
            elif name != "sequencer":
                conn.execute(
                    "insert into ops.position values (%(n)s, 1, clock_timestamp() - %(s)s * interval '1 s')",
                    values,
                )


@pytest.fixture
def served(founded: Home) -> Home:
    """A home that looks served to whoever looks from outside."""
    wiring.api_socket(founded).touch()
    return founded


def test_a_keeper_that_never_took_a_turn_is_unknown_and_not_fine(served: Home) -> None:
    taken(served, {})
    found = keeper(served)
    assert found.state == "unknown" and "failed attempts" in found.found and found.remedy


def test_a_keeper_in_time_is_fine(served: Home) -> None:
    taken(served, dict.fromkeys(TURNS, 20))
    found = keeper(served)
    assert found.state == "ok", found


@pytest.mark.parametrize("name", [name for name in TURNS if name != "sequencer"])
def test_one_duty_that_hangs_is_a_finding_that_names_it(served: Home, name: str) -> None:
    taken(served, dict.fromkeys(TURNS, 20) | {name: LATE_S + 30})
    found = keeper(served)
    assert found.state == "finding" and TURNS[name] in found.found and "serve" in found.remedy
    assert sum(what in found.found for what in TURNS.values()) == 1


def test_where_nobody_serves_a_late_turn_is_no_finding(founded: Home) -> None:
    wiring.api_socket(founded).unlink(missing_ok=True)
    taken(founded, dict.fromkeys(TURNS, 9000))
    found = keeper(founded)
    assert (found.state, found.found) == ("ok", "not served")
