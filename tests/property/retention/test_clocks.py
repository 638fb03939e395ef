"""Clocks of retention: what may lengthen a period, that nothing shortens it, and that no day is lost."""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Any

from hypothesis import given, strategies as st

from coverslip.records._retention import CIRCUMSTANCES, EVENTS
from coverslip.retention.calendar import after, day_of
from coverslip.retention.computing import Answer, Clock, Held, answer, clocks
from coverslip.retention.rules import CLASSES, TABLE, Rule, Term

DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2100, 12, 31))
EVENT_SETS = st.dictionaries(
    st.sampled_from([*EVENTS, *CIRCUMSTANCES, "creation"]), DAYS.map(dt.date.isoformat), max_size=12
)
NAMES = st.sampled_from(sorted(CLASSES))
HELD = st.builds(
    lambda number, class_, events: Held("record", f"REC-{number}", class_, events),
    st.integers(1, 99),
    NAMES,
    EVENT_SETS,
)
FAR = dt.date(9999, 12, 31)


def length(found: Answer) -> dt.date:
    return found.until or FAR


@given(st.lists(HELD, min_size=1, max_size=4), HELD)
def test_a_parent_more_never_shortens(records: list[Held], more: Held) -> None:
    before = [clock for held in records for clock in clocks(held)]
    assert length(answer([*before, *clocks(more)])) >= length(answer(before))


@given(HELD, st.sampled_from(sorted(EVENTS)), st.integers(0, 100))
def test_a_rule_more_of_the_site_never_shortens(held: Held, event: str, years: int) -> None:
    rule = Rule("SITE-01/1", "SITE-01, policy", "", (Term((event,), years),))
    more = Held(held.kind, held.number, held.class_, held.events, held.zone, (rule,))
    assert length(answer(clocks(more))) >= length(answer(clocks(held)))


@given(HELD)
def test_an_answer_is_the_latest_of_its_clocks_and_open_if_one_is(held: Held) -> None:
    found = answer(clocks(held))
    if any(clock.until is None for clock in found.clocks):
        assert found.until is None
        assert found.sentence.startswith("Open — ")
    else:
        assert found.until == max(clock.until for clock in found.clocks if clock.until)
        assert found.sentence.startswith(f"Keep until {found.until} — ")
    assert found.clock in found.clocks
    assert not found.over(found.until or FAR)


@given(HELD)
def test_no_date_comes_from_anything_but_an_event(held: Held) -> None:
    days = {day_of(str(value)) for value in held.events.values()}
    for clock in clocks(held):
        if clock.until is not None:
            assert any(str(day) in clock.because for day in days)


@given(st.sampled_from(sorted(TABLE)), NAMES)
def test_nothing_recorded_leaves_everything_open(rule: str, class_: str) -> None:
    assert all(clock.until is None for clock in clocks(Held("record", "R", class_)))


@given(DAYS, st.integers(0, 60), st.integers(0, 40))
def test_a_period_is_never_a_day_short(day: dt.date, years: int, months: int) -> None:
    found = after(day, years, months)
    total = day.year * 12 + day.month - 1 + years * 12 + months
    year, month = divmod(total, 12)
    last = calendar.monthrange(year, month + 1)[1]
    expected = dt.date(year, month + 1, min(day.day, last))
    assert found >= expected
    assert (found - expected).days == (0 if day.day <= last else 1)


@given(st.integers(1990, 2100), st.integers(1, 100))
def test_the_29th_of_february_becomes_the_1st_of_march_unless_it_is_there(year: int, years: int) -> None:
    if not calendar.isleap(year):
        year = year - year % 4 + (4 if not calendar.isleap(year - year % 4) else 0)
    found = after(dt.date(year, 2, 29), years)
    there = calendar.isleap(year + years)
    assert (found.month, found.day) == ((2, 29) if there else (3, 1))


@given(DAYS, DAYS, st.integers(0, 30), st.integers(0, 30))
def test_later_events_and_longer_periods_end_no_earlier(
    one: dt.date, other: dt.date, years: int, months: int
) -> None:
    first, second = sorted((one, other))
    assert after(first, years, months) <= after(second, years, months)
    assert after(first, years, months) <= after(first, years + 1, months)


@given(st.lists(HELD, min_size=1, max_size=5), st.randoms())
def test_the_answer_does_not_depend_on_the_order(records: list[Held], random: Any) -> None:
    found: list[Clock] = [clock for held in records for clock in clocks(held)]
    mixed = list(found)
    random.shuffle(mixed)
    assert length(answer(mixed)) == length(answer(found))
    assert answer(mixed).clocks == answer(found).clocks
