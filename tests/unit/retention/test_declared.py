"""What every type says of its retention: a class of the table, events its rules know, a path that leads."""

from __future__ import annotations

import pytest

from coverslip.kernel import words as w
from coverslip.records import all_types
from coverslip.records._retention import CIRCUMSTANCES, CLASSES, EVENTS
from coverslip.retention.rules import CLASSES as TABLE

TYPES = {t.name: t for t in all_types()}
KNOWN = {*EVENTS, *CIRCUMSTANCES, "obsolescence", "employment_end", "creation", "listed"}
each = pytest.mark.parametrize("t", all_types(), ids=lambda t: t.name)


def test_the_classes_of_records_are_those_of_the_table() -> None:
    assert set(CLASSES) == set(TABLE)


@each
def test_the_class_is_one_of_the_table_or_that_of_what_it_belongs_to(t: w.Type) -> None:
    assert t.retention.longest_of or t.retention.class_ in TABLE


@each
def test_events_are_ones_the_rules_ask_and_fields_that_hold_them(t: w.Type) -> None:
    for event, field in t.retention.events.items():
        assert event in KNOWN, f"no rule asks for {event}"
        kind = t.fields[field].kind
        assert isinstance(kind, w.Date | w.Instant | w.Bool | w.Int | w.Text | w.Table)
        assert isinstance(kind, w.Table) == (event == "listed")


@each
def test_a_class_said_by_a_field_is_one_of_the_table(t: w.Type) -> None:
    if t.retention.class_at:
        kind = t.fields[t.retention.class_at].kind
        assert isinstance(kind, w.Enum)
        assert set(kind.choices) <= set(TABLE)


@each
def test_what_a_record_belongs_to_is_reached_over_links(t: w.Type) -> None:
    at = [t]
    for step in t.retention.longest_of:
        kinds = [(one, _link(one, step)) for one in at]
        assert any(kind for _, kind in kinds), f"{step} is no link"
        names = {n for _, kind in kinds if kind for n in kind.types or TYPES}
        at = [TYPES[name] for name in sorted(names)]


def _link(t: w.Type, name: str) -> w.Link | None:
    table, _, column = name.partition(".")
    declared = t.fields.get(table)
    kind = declared.kind if declared else None
    if column and isinstance(kind, w.Table) and column in kind.columns:
        kind = kind.columns[column].kind
    return kind if isinstance(kind, w.Link) else None
