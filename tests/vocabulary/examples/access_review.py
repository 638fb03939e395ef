"""A review of every account, decided on by two people who leave themselves out."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _decided(w: World, row: Row, by: str, but: str) -> list[dict[str, Any]]:
    """Return decisions of one person to keep every account but one."""
    return [
        {
            "user": account["user"]["number"],
            "decision": "keep",
            "reason": "Still works here.",
            "decided_by": w.number_of(by),
        }
        for account in row.fields["accounts"]
        if account["username"] != but
    ]


def _all_decided(w: World, row: Row) -> None:
    first = _decided(w, row, "quality3", "quality3")
    w.do(row.number, "decide", by="quality3", decisions=first)
    last = [d for d in _decided(w, row, "quality4", "") if d["user"] == w.number_of("quality3")]
    w.do(row.number, "decide", by="quality4", decisions=[*first, *last])


def _reviewed_by_otto(w: World, state: str) -> str:
    number = w.new("access_review", "collecting")
    _all_decided(w, w.row(number))
    w.do(number, "review", by="otto")
    return w.to(number, state)


EXAMPLE = Example(
    create=lambda w: {"title": "Access, quarterly", "period": w.unique("2026-"), "due_on": w.day(30)},
    acts={
        "decide": lambda w, row: {"decisions": _decided(w, row, "quality3", "quality3")},
        "review": lambda w, row: {"conclusion": "Everybody here still works here."},
    },
    before={"review": _all_decided},
    selves={"reviewer": _reviewed_by_otto},
    actors={"decide": lambda w, row: w.named("quality3")},
)
