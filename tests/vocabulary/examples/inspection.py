"""Five of twenty are read; what they show accepts, or rejects where the example says so."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _read(w: World, row: Row, passed: bool = True) -> None:
    readings = [
        {"sample": s["unit"], "characteristic": "scratch", "passed": passed} for s in row.fields["samples"]
    ]
    if "readings" not in row.fields:
        w.do(row.number, "record", readings=readings)


def _bad(w: World, row: Row) -> None:
    """Send back what was good and read it again as bad."""
    if row.fields["outcome"] != "accept":
        return
    w.do(row.number, "send_back")
    readings = [{**r, "passed": False} for r in row.fields["readings"]]
    w.do(row.number, "record", readings=readings)
    w.do(row.number, "complete")
    w.do(row.number, "review")


EXAMPLE = Example(
    create=lambda w: {
        "subject": w.new("change"),
        "stage": "incoming",
        "lot_size": 20,
        "sample_size": 5,
        "characteristics": [
            {"code": "scratch", "name": "No scratch", "kind": "attribute", "class_": "major"}
        ],
    },
    acts={
        "record": lambda w, row: {
            "readings": [
                {"sample": row.fields["samples"][0]["unit"], "characteristic": "scratch", "passed": True}
            ]
        }
    },
    breaks={
        "record": {
            "was not drawn": lambda w, row: {
                "readings": [{"sample": 999, "characteristic": "scratch", "passed": True}]
            }
        }
    },
    before={"complete": _read, "reject": _bad},
)
