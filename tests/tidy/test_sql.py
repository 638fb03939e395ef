"""SQL is written in ``store/`` only, so that what the database may be asked can be read in one place."""

from __future__ import annotations

import re
from typing import Any

import pytest

SQL = re.compile(
    r"\bselect\b[^;]+\bfrom\s+(?:only\s+)?(?:ledger|projection|ops|pg_\w+|information_schema)\b"
    r"|\bselect\s+(?:ledger|projection|ops)\.\w+\s*\("
    r"|\binsert\s+into\s+\w+(?:\.\w+)?\s*(?:\(|values|select)"
    r"|\bupdate\s+\w+(?:\.\w+)?\s+set\b"
    r"|\bdelete\s+from\s+\w+"
    r"|\btruncate\s+(?:table\s+)?(?:ledger|projection|ops)\b"
    r"|\b(?:create|alter|drop)\s+(?:table|schema|role|function|trigger|index|view)\s+\w+",
    re.IGNORECASE,
)
UPPER = re.compile(r"^\s*(?:WITH\s.*)?(?:SELECT|INSERT|UPDATE|DELETE)\s.*\s(?:FROM|INTO|SET)\s", re.DOTALL)

ATTACKER = "cli/demo/dishonest.py"
"""Plays an administrator who goes to the database with a connection of his own, on a copy."""

CLOCK = "cli/demo/clock.py"
"""Sets back the clock of a laboratory that is being founded for the demonstration, and puts it right."""


def sql_in(module: Any) -> list[str]:
    found = [
        f"{module.path}:{line} {text.strip()[:60]!r}"
        for line, text in module.strings()
        if SQL.search(text) or UPPER.search(text)
    ]
    if module.within("bootstrap/"):  # connects the store's parts, and asks the database nothing itself
        return found
    drivers = [
        f"{module.path}:{line} imports {name}"
        for line, name in module.imports()
        if name.startswith("psycopg")
    ]
    return found + drivers


def test_sql_and_its_driver_are_in_the_store_only(modules: list[Any]) -> None:
    held = [module for module in modules if not module.within("store/", ATTACKER, CLOCK)]
    assert [hit for module in held for hit in sql_in(module)] == []


def test_each_exception_is_needed(modules: list[Any]) -> None:
    for path in (ATTACKER, CLOCK):
        assert any(sql_in(module) for module in modules if module.within(path)), path


@pytest.mark.parametrize(
    "line",
    [
        'q = "select uid from projection.record where type = $1"',
        'q = "SELECT 1 FROM anything"',
        'q = f"insert into ledger.entry (a) values ({1})"',
        'q = "update projection.record set title = $1"',
        'q = "DELETE FROM ledger.body"',
        'q = "select ops.commit($1)"',
        "from psycopg import connect",
    ],
)
def test_sql_outside_the_store_would_be_seen(source: Any, line: str) -> None:
    assert sql_in(source.of("api/records.py", line))


@pytest.mark.parametrize(
    "line",
    ['q = "Select one from the list"', 'q = "nothing to update, set aside"', 'q = "Delete is not possible"'],
)
def test_plain_sentences_are_not_taken_for_sql(source: Any, line: str) -> None:
    assert sql_in(source.of("api/records.py", line)) == []
