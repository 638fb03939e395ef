"""The sample of an audit trail review: what is found, what is drawn, and that it is drawn alike again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from coverslip.kernel.rows import Row
from coverslip.review import trail
from fix_lab import refused
from fix_rules import row

ANN = "ann"


def entry(index: int, day: int, act: str = "edit", **more: Any) -> dict[str, Any]:
    return {
        "entry": f"e{index}",
        "at": f"2027-01-{day:02}T10:00:00.000000Z",
        "type": "record",
        "act": act,
        "version": 2,
        "kind": "complaint",
        "uid": "u",
        "about": False,
        "actor": ANN,
        "meaning": "",
        "sections": {"content": {"number": "CMP-2027-0001"}},
        "leaf_hash": f"{index:064x}",
        **more,
    }


class Ledger:
    """Entries in order; counts how many were looked at."""

    def __init__(self, *entries: dict[str, Any]) -> None:
        self.all, self.read = list(entries), 0

    def status(self) -> dict[str, Any]:
        return {"size": len(self.all)}

    def entries(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        for one in self.all[first:last]:
            self.read += 1
            yield one

    def by_uid(self, kind: str, uid: str) -> Row | None:
        return row("USR-0001", uid=ANN, kind="user") if (kind, uid) == ("user", ANN) else None


def review(*classes: str, how: str = "all_critical", **more: Any) -> Row:
    period = {"period_from": "2027-01-10", "period_to": "2027-01-20"}
    return row("ATR-2027-001", {**period, "event_classes": list(classes), "sample_rule": how, **more})


def drawn(ledger: Ledger, asked: Row) -> list[str]:
    return [item["entry"] for item in trail.sample_gatherer(ledger)(asked)]


def test_the_first_and_the_last_day_of_the_period_belong_to_it_and_no_other_day() -> None:
    ledger = Ledger(*(entry(day, day, "void") for day in range(1, 31)))
    assert drawn(ledger, review("voids")) == [f"e{day}" for day in range(10, 21)]
    assert ledger.read < 20, "what lies before the period is not read through"
    assert drawn(Ledger(), review("voids")) == []


@pytest.mark.parametrize(
    ("class_", "found"),
    [
        ("voids", {"act": "void"}),
        ("erasures", {"type": "erasure"}),
        ("refusals", {"type": "refusal"}),
        ("late_entries", {"sections": {"content": {"late": True}}}),
        ("changes", {"sections": {"reason": "Because."}}),
        ("reprocessing", {"kind": "reprocessing_request"}),
    ],
)
def test_an_entry_is_found_by_its_class_and_by_no_other(class_: str, found: dict[str, Any]) -> None:
    ledger = Ledger(entry(1, 12, **found), entry(2, 12))
    assert drawn(ledger, review(class_)) == ["e1"]
    others = [c for c in trail._CLASSES if c != class_]
    assert drawn(ledger, review(*others)) == []


def test_what_is_not_critical_is_drawn_at_random_alike_by_everybody() -> None:
    signed = [entry(i, 12, "approve", meaning="approved") for i in range(50)]
    ledger = Ledger(entry(99, 11, "void"), *signed)
    assert drawn(ledger, review("voids", "signatures")) == ["e99"]
    asked = review("voids", "signatures", how="critical_and_random", sample_size=5, sample_seed="dice")
    taken = drawn(ledger, asked)
    lowest = sorted(
        (f"e{i}" for i in range(50)), key=lambda id: hashlib.sha256(f"dice{id}".encode()).hexdigest()
    )
    assert taken[0] == "e99"
    assert set(taken[1:]) == set(lowest[:5])
    assert drawn(ledger, asked) == taken
    other = review("voids", "signatures", how="critical_and_random", sample_size=5, sample_seed="other")
    assert drawn(ledger, other) != taken


def test_a_random_sample_may_leave_a_critical_entry_out() -> None:
    ledger = Ledger(*(entry(i, 12, "void") for i in range(20)))
    assert len(drawn(ledger, review("voids", how="random", sample_size=3, sample_seed="x"))) == 3


def test_a_row_says_what_happened_who_did_it_and_what_is_asked() -> None:
    refusal = {
        "type": "refusal",
        "act": "refused",
        "about": True,
        "sections": {"detail": {"record": "SOP-0001", "code": "AUTH_ROLE", "message": "You need QA."}},
    }
    (item,) = trail.sample_gatherer(Ledger(entry(1, 12, **refusal)))(review("refusals"))
    assert item["event"] == "2027-01-12T10:00:00Z SOP-0001 refused: AUTH_ROLE You need QA."
    assert item["person"] == {"type": "user", "uid": ANN, "number": "USR-0001"}
    assert item["critical"]
    assert item["question"] == "What was tried here, and why?"
    (nobody,) = trail.sample_gatherer(Ledger(entry(1, 12, "void", actor="device")))(review("voids"))
    assert "person" not in nobody


def test_what_was_found_has_one_hash_that_changes_with_every_entry() -> None:
    first, second = entry(1, 12, "void"), entry(2, 13, "void")
    whole = trail.drawn_gatherer(Ledger(first, second))(review("voids"))
    assert whole == {
        "size": 2,
        "matched": 2,
        "critical": 2,
        "sha256": hashlib.sha256(f"{1:064x}\n{2:064x}\n".encode()).hexdigest(),
    }
    less = trail.drawn_gatherer(Ledger(first))(review("voids"))
    assert less["sha256"] != whole["sha256"]


def test_a_sample_too_large_to_be_answered_is_refused() -> None:
    ledger = Ledger(*(entry(i, 12, "void") for i in range(trail.MOST + 1)))
    with refused("SEQ_PRE") as caught:
        drawn(ledger, review("voids"))
    assert "narrow its classes" in str(caught[0])
