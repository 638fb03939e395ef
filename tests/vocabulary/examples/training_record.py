"""Training on the laboratory's procedure, assessed by somebody else."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _read_only(w: World, row: Row) -> None:
    w.do(row.number, "edit", depth="read_understood")


def _typed(w: World, row: Row) -> None:
    w.do(row.number, "edit", exemption="Nobody asked for it.")


def _failed_twice(w: World, row: Row) -> None:
    for _ in range(int(row.fields.get("attempts", 0)), 2):
        w.do(row.number, "not_passed")
        w.do(row.number, "acknowledge")


def _closed(act: str, state: str, training: str) -> object:
    """Return what closes training by an act on its document."""

    def bring(w: World) -> str:
        document = w.new("document_sop", state)
        record = w.new("training_record", training, document=f"{document} v1")
        w.do(document, act)
        return record

    return bring


EXAMPLE = Example(
    create=lambda w: {
        "person": w.any("user"),
        "document": w.row(w.any("document_sop")).label,
        "depth": "assessed",
        "due": w.day(30),
    },
    acts={
        "assess": lambda w, row: {"score": 90, "assessment": "Asked at the bench.", "expires": w.day(1)},
        "ask_exemption": lambda w, row: {"exemption": "Wrote this procedure."},
    },
    before={
        "complete": _read_only,
        "expire": lambda w, row: w.pass_days(2),
        "block": _failed_twice,
        "exempt": lambda w, row: w.do(row.number, "ask_exemption"),
    },
    routes={
        "completed": ("acknowledge", "assess"),
        "expired": ("acknowledge", "assess", "expire"),
    },
    consequences={
        "supersede": _closed("obsolete", "effective", "completed"),
        "lapse": _closed("obsolete", "effective", ""),
        "withdraw": _closed("withdraw", "approved", ""),
    },
    breaks={
        "assess": {"80 or more": lambda w, row: {"score": 79, "assessment": "Asked at the bench."}},
        "complete": {"assessed by another person": lambda w, row: {}},
        "acknowledge": {"needs no assessment": _read_only},
        "expire": {"last day is over": lambda w, row: {}},
        "block": {"blocked after 3 failures": lambda w, row: {}},
        "not_passed": {"failure 3": _failed_twice},
        "exempt": {"asked for the exemption": _typed},
    },
)
