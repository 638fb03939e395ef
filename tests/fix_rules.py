"""Asking a named rule by itself: rows as a rule reads them, links, and the question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coverslip.kernel import rules
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import Refusal, RuleInput
from coverslip.records import all_types

all_types()  # a rule is known once the type it stands beside was loaded

NOW = "2026-11-21T04:00:00.000000Z"
ANN, BOB = "ann", "bob"
Rows = tuple[Row, ...]


def row(
    number: str,
    fields: dict[str, Any] | None = None,
    *,
    state: str = "active",
    uid: str = "",
    version: int = 1,
    people: dict[str, list[str]] | None = None,
    title: str = "",
    kind: str = "x",
    revision: int = 0,
) -> Row:
    content = {"fields": fields or {}, "people": people or {}}
    return Row(kind, uid or number, number, revision, version, 1, state, title, "gmp", "", "", content)


def link(uid: str, number: str = "") -> dict[str, Any]:
    return {"type": "x", "uid": uid, "number": number or uid}


def ask(
    name: str,
    fields: dict[str, Any] | None = None,
    *,
    record: Row | None = None,
    reads: Mapping[str, Rows] | None = None,
    children: Mapping[str, Rows] | None = None,
    actor: str = ANN,
) -> Any:
    """Ask a rule; a refusal under a code of its own answers with its sentence, as a person reads it."""
    version = max(v for n, v in rules._RULES if n == name)
    answer = rules.find(name, version)(
        RuleInput(fields or {}, record, reads or {}, children or {}, actor, NOW)
    )
    return f"{answer.sentence}." if isinstance(answer, Refusal) else answer
