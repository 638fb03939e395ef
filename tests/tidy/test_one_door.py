"""One door: attempts at it, genesis, the step to a release and events append, and nobody else does."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

CALLERS = {
    "kernel/attempt.py": "every change to a record, on its way through the door",
    "kernel/bulk.py": "many of them in one command, each decided as if alone",
    "kernel/genesis.py": "the first command of an installation",
    "kernel/upgrade.py": "the step to a new release, which changes no record",
    "kernel/events.py": "sign-ins, refusals, views and exports, which change no record",
}
APPENDS = re.compile(
    r"\bops\.commit\b|\bledger\.append\w*\b|\binsert\s+into\s+ledger\.(?:entry|body)\b", re.IGNORECASE
)


def callers_of_store_commit(module: Any) -> list[str]:
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr == "commit":
            owner = (
                node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            )
            if "store" in owner.lower():
                found.append(f"{module.path}:{node.lineno}")
    return found


def test_the_store_is_committed_to_by_the_kernel_only(modules: list[Any]) -> None:
    assert [h for m in modules if m.path not in CALLERS for h in callers_of_store_commit(m)] == []


def test_every_listed_caller_is_one(modules: list[Any]) -> None:
    assert {m.path for m in modules if callers_of_store_commit(m)} == set(CALLERS)


def test_the_appending_function_is_named_in_one_module_and_in_migrations(
    modules: list[Any], sql_files: dict[str, str]
) -> None:
    naming = {m.path for m in modules if any(APPENDS.search(text) for _, text in m.strings())}
    assert naming == {"store/ledger_sql.py"}
    elsewhere = [
        p for p, text in sql_files.items() if APPENDS.search(text) and not p.startswith("store/migrations/")
    ]
    assert elsewhere == []


@pytest.mark.parametrize(
    "line", ["self._store.commit(batch)", "store.commit(batch)", "f = self.store.commit"]
)
def test_another_caller_would_be_seen(source: Any, line: str) -> None:
    assert callers_of_store_commit(source.of("api/records.py", line))
