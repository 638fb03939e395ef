"""A specimen of five millilitres, received under the label printed for it."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_lab import Person
from fix_world import Example, World


def _receipt(w: World, row: Row) -> dict[str, Any]:
    return {"scanned_label": row.number, "condition": "ok", "location": "Bench 3"} | {
        "temperature_at_receipt": {"value": "4.5", "unit": "Cel"}
    }


def _other(w: World, row: Row) -> str:
    """Return somebody who does not hold the specimen."""
    holder = row.fields["custodian"]["number"]
    return next(n for n in (w.number_of(w.person("OPR", i)) for i in range(2)) if n != holder)


def _offer(w: World, row: Row) -> None:
    if row.fields["handover"] == "none":
        w.do(row.number, "hand_over")


def _received(w: World, row: Row) -> None:
    """Quarantine a specimen only once somebody received it, so that it can be released."""
    if row.state == "registered":
        w.do(row.number, "receive")


def _receiver(w: World, row: Row) -> Person:
    """Return the receiver named, or anybody while there is none."""
    named = row.fields.get("receiver")
    return w.someone(named["uid"]) if named is not None else w.person("OPR")


def _unstated(w: World, row: Row) -> dict[str, Any]:
    _offer(w, row)
    return {"condition_at_handover": "not_stated"}


EXAMPLE = Example(
    create=lambda w: {
        "title": "Section 7 of block 12",
        "kind": "tissue",
        "quantity": "5.0",
        "unit": "mL",
        "expires": w.day(100),
    },
    acts={
        "receive": _receipt,
        "hand_over": lambda w, row: {"receiver": _other(w, row), "place": "Cold room 2"},
        "accept_custody": lambda w, row: {"condition_at_handover": "ok"},
        "store": lambda w, row: {"location": "Freezer 1", "temperature": "-80 C"},
        "take_aliquot": lambda w, row: {"taken": "1.0", "aliquot_title": "Section 7, part 1"},
        "return_to_owner": lambda w, row: {"place": "The clinic"},
        "dispose": lambda w, row: {"disposal_manner": "Incinerated", "keep_until": w.day()},
    },
    before={"accept_custody": _offer, "withdraw_handover": _offer},
    actors={"accept_custody": _receiver},
    routes={"quarantined": ("receive", "quarantine"), "rejected": ("receive", "reject")},
    breaks={
        "receive": {
            "You scanned": lambda w, row: _receipt(w, row) | {"scanned_label": "SMP-0"},
            "Specimen expired": lambda w, row: w.do(row.number, "edit", expires=w.day(-1)),
        },
        "hand_over": {
            "somebody who does not hold it": lambda w, row: {
                "receiver": row.fields["custodian"]["number"],
                "place": "Room 1",
            },
        },
        "accept_custody": {
            "receiver states the condition": _unstated,
        },
        "take_aliquot": {
            "no quantity falls below zero": lambda w, row: {"taken": "5.1", "aliquot_title": "Too much"}
        },
        "dispose": {
            "must be kept until": lambda w, row: {
                "disposal_manner": "Incinerated",
                "keep_until": w.day(30),
            }
        },
    },
)
