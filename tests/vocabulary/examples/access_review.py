"""The review of a quarter's accounts: two of quality decide, each not on themselves."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from coverslip.kernel.rows import Row
from fix_world import Example, World

_DECIDERS = ("quality1", "quality2")


def _decision(w: World, account: dict[str, Any], username: str) -> dict[str, Any]:
    return {
        "user": account["user"]["number"],
        "decision": "keep",
        "reason": "Works here as before.",
        "decided_by": w.number_of(username),
    }


def _decide(w: World, row: Row) -> None:
    """Let one decide on all but themselves, the other on the first."""
    accounts = row.fields["accounts"]
    first, second = _DECIDERS
    others = [_decision(w, a, first) for a in accounts if a["username"] != first]
    w.do(row.number, "decide", by=first, decisions=others)
    own = [_decision(w, a, second) for a in accounts if a["username"] == first]
    w.do(row.number, "decide", by=second, decisions=others + own)


def _some(w: World, row: Row) -> dict[str, Any]:
    """Return the decisions of the person who decides first on everybody else."""
    return {
        "decisions": [
            _decision(w, a, _DECIDERS[0]) for a in row.fields["accounts"] if a["username"] != _DECIDERS[0]
        ]
    }


EXAMPLE = Example(
    create=lambda w: {
        "title": "Accounts of a quarter",
        "period": f"Q {uuid4().hex[:12]}",
        "due_on": w.day(30),
    },
    acts={
        "decide": _some,
        "review": lambda w, row: {"conclusion": "Every account is used by its owner."},
    },
    before={"review": _decide},
    actors={"decide": lambda w, row: w.named(_DECIDERS[0])},
)
