"""Counters of attempts on names nobody has go by themselves; an account's own stay."""

from __future__ import annotations

import pytest

from coverslip.bootstrap import labs
from coverslip.bootstrap.duties import duties
from coverslip.kernel.identity import name_key
from coverslip.store.counters import KEPT_DAYS, Purge
from fix_lab import Lab


@pytest.fixture
def counted(lab: Lab) -> dict[str, str]:
    """Old and new counters, of people and of nobody; returns their keys by what they are."""
    found = {
        "old nobody": name_key("nobody-old"), "locked nobody": name_key("nobody-locked"),
        "new nobody": name_key("nobody-new"), "old quinn": name_key("quinn"), "address": "192.0.2.7",
        "signing": lab.quinn.context.person,
    }  # fmt: skip
    rows = (
        ("sign_in", "old nobody", 4, KEPT_DAYS + 1), ("sign_in", "locked nobody", 12, KEPT_DAYS + 1),
        ("sign_in", "new nobody", 4, KEPT_DAYS - 1), ("sign_in", "old quinn", 4, 400),
        ("enrolling", "address", 3, KEPT_DAYS + 1), ("signing", "signing", 2, 400),
    )  # fmt: skip
    for scope, what, failures, days in rows:
        lab.ask(
            "insert into ops.throttle as t (scope, key, failures, since) values"
            " (%s, %s, %s, clock_timestamp() - %s * interval '1 day') on conflict (scope, key) do update"
            " set failures = excluded.failures, since = excluded.since returning 1",
            scope, found[what], failures, days,
        )  # fmt: skip
    return found


def left(lab: Lab, counted: dict[str, str]) -> set[str]:
    there = {row[0] for row in lab.ask("select key from ops.throttle where failures > 0")}
    return {what for what, key in counted.items() if key in there}


def test_counters_of_nobody_go_after_a_week_and_those_of_people_stay(
    lab: Lab, counted: dict[str, str]
) -> None:
    Purge(lab.accounts._pool).do()
    assert left(lab, counted) == {"new nobody", "old quinn", "signing"}
    assert lab.accounts.failures("sign_in", counted["old quinn"]) == 4


def test_a_turn_is_bounded_and_the_duty_goes_on_until_all_are_gone(lab: Lab, counted: dict[str, str]) -> None:
    lab.ask(
        "insert into ops.throttle(scope, key, failures, since) select 'sign_in', 'x' || n, 1,"
        " clock_timestamp() - interval '30 days' from generate_series(1, 25) n returning 1"
    )
    purge = Purge(lab.accounts._pool, most=10)
    assert purge.turn() == 10
    purge.do()
    assert lab.ask("select count(*) from ops.throttle where key like 'x%%'")[0][0] == 0
    assert purge.turn() == 0


def test_the_writer_removes_no_counter_by_itself(lab: Lab) -> None:
    with lab.accounts._pool.connection() as conn:
        granted = conn.execute("select has_table_privilege('ops.throttle', 'delete')").fetchone()
    assert granted == (False,)


def test_the_keeper_does_it(lab: Lab) -> None:
    with labs.lab(lab.home) as opened:
        assert "counters" in {one.name for one in duties(opened)}
