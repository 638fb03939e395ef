"""What the generated tests could not try is said at the end of a run, workers of xdist included."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

_SAID = ("not tried", "guards", "guard never seen failing")
_FOUND: dict[str, list[str]] = defaultdict(list)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather what tests said about themselves."""
    for name, value in report.user_properties if report.when == "call" else ():
        if name in _SAID:
            _FOUND[name].append(str(value))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was not tried, and how many guards were seen failing."""
    shares = [tuple(map(int, share.split("/"))) for share in _FOUND.pop("guards", ())]
    for name, values in sorted(_FOUND.items()):
        terminalreporter.section(f"{name}: {len(values)}")
        for value in sorted(set(values)):
            terminalreporter.line(value)
    if shares:
        seen, of = sum(s for s, _ in shares), sum(n for _, n in shares)
        terminalreporter.section(f"{seen} of {of} guards seen failing")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the table of mistakes in its own order: its rows share one world, in which days pass."""
    places = [i for i, item in enumerate(items) if item.path.name == "test_mistakes.py"]
    rows = sorted((items[i] for i in places), key=_row)
    for i, item in zip(places, rows, strict=True):
        items[i] = item


def _row(item: pytest.Item) -> tuple[int, int]:
    line = item.location[1] or 0
    indices = getattr(getattr(item, "callspec", None), "indices", {})
    return line, next(iter(indices.values()), 0)
