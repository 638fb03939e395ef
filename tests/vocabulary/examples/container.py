"""A critical plate with its controls and one specimen; a session images it."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _layout(w: World, position: str = "C05") -> list[dict[str, Any]]:
    return [
        {"position": "A01", "role": "pos_control"},
        {"position": "A02", "role": "neg_control"},
        {"position": position, "role": "sample", "specimen": w.any("specimen", "in_storage")},
    ]


def _unnamed(w: World) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "specimen"} for row in _layout(w)]


def _quarantined(w: World, row: Row) -> None:
    """Quarantine the specimen that lies on the container."""
    for place in row.fields["layout"]:
        if "specimen" in place:
            w.do(str(place["specimen"]["number"]), "quarantine")


def _loaded(w: World) -> str:
    plate = w.new("container", "qc_checked")
    w.new("acquisition_session", "running", containers=[plate])
    return plate


def _imaged(w: World) -> str:
    plate = w.new("container", "qc_checked")
    w.new("acquisition_session", "completed", containers=[plate])
    return plate


def _amended(w: World, row: Row) -> dict[str, Any]:
    return {"layout": _layout(w, "C06"), "amendment_impact": "No result was computed from it yet."}


EXAMPLE = Example(
    create=lambda w: {
        "title": "Plate 9",
        "kind": "plate",
        "format": "96",
        "critical": True,
        "layout": _layout(w),
    },
    acts={"amend_layout": _amended},
    consequences={"load_for_imaging": _loaded, "image": _imaged},
    breaks={
        "create": {
            "is given once": lambda w, row: {"layout": _layout(w, "A01")},
            "Positions are wells": lambda w, row: {"layout": _layout(w, "I01")},
        },
        "edit": {
            "is given once": lambda w, row: {"layout": _layout(w, "A01")},
            "Positions are wells": lambda w, row: {"layout": _layout(w, "I01")},
        },
        "load": {"is at hand": _quarantined},
        "qc_check": {
            "names its specimen": lambda w, row: w.do(row.number, "edit", layout=_unnamed(w)),
            "is at hand": _quarantined,
            "1 pos control": lambda w, row: w.do(row.number, "edit", layout=_layout(w)[1:]),
        },
        "amend_layout": {
            "is given once": lambda w, row: _amended(w, row) | {"layout": _layout(w, "A01")},
            "Positions are wells": lambda w, row: _amended(w, row) | {"layout": _layout(w, "I01")},
            "names its specimen": lambda w, row: _amended(w, row) | {"layout": _unnamed(w)},
            "1 pos control": lambda w, row: _amended(w, row) | {"layout": _layout(w)[1:]},
        },
    },
)
