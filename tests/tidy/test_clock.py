"""One reader of the clock: times that reach a record come from one place (21 CFR 11.10(e))."""

from __future__ import annotations

import ast
from typing import Any

import pytest

READERS = {
    "kernel/clock.py": "the one reader",
    "cli/demo/chapters.py": "people of the demonstration state the day a document is to take effect",
    "client/device.py": "a device states when it asks for a session; the server compares clocks",
    "store/check_guards.py": "a check asks how long entries have waited for a signature; it dates nothing",
    "ledger/identity.py": "the time inside a UUIDv7 orders identifiers; no record is dated by it",
}
WALL = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
    ("time", "ctime"),
    ("time", "clock_gettime"),
}
FROM_TIME = {f"time.{name}" for owner, name in WALL if owner == "time"}


def clock_readings(module: Any) -> list[str]:
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            owner = (
                node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            )
            if (owner, node.attr) in WALL:
                found.append(f"{module.path}:{node.lineno} {owner}.{node.attr}")
    found += [f"{module.path}:{line} imports {name}" for line, name in module.imports() if name in FROM_TIME]
    return found


def test_only_the_clock_reads_the_time_of_day(modules: list[Any]) -> None:
    assert [hit for module in modules if module.path not in READERS for hit in clock_readings(module)] == []


def test_every_listed_reader_exists_and_reads_it(modules: list[Any]) -> None:
    reading = {module.path for module in modules if clock_readings(module)}
    assert reading == set(READERS)


@pytest.mark.parametrize(
    "line",
    [
        "import datetime as dt\nx = dt.datetime.now(dt.UTC)",
        "import time\nx = time.time()",
        "from time import time_ns",
        "from datetime import date\nx = date.today()",
    ],
)
def test_another_reader_would_be_seen(source: Any, line: str) -> None:
    assert clock_readings(source.of("api/x.py", line))


def test_measuring_a_duration_is_free(source: Any) -> None:
    assert (
        clock_readings(source.of("cli/x.py", "import time\nx = time.monotonic() + time.perf_counter()")) == []
    )
