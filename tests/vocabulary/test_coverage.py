"""Every declared type has an example, and every example a type."""

from __future__ import annotations

from coverslip.records import all_types
from fix_world import example_names


def test_every_type_has_an_example() -> None:
    assert [t.name for t in all_types() if t.name not in example_names()] == []


def test_every_example_has_a_type() -> None:
    assert sorted(set(example_names()) - {t.name for t in all_types()}) == []
