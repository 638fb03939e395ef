"""A study by the laboratory's procedure, under a director."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _blinded(w: World, state: str) -> str:
    return w.new("study", state, blinding="reader", unblinding_rule="When every image is scored.")


def _unblinding(w: World, row: Row) -> dict[str, str]:
    w.do(row.number, "amend", blinding="full")
    return {"blinding": "none"}


EXAMPLE = Example(
    create=lambda w: {
        "title": "Nuclei after treatment",
        "kind": "release_assay",
        "director": w.number_of(w.person("SDR")),
        "objectives": "Count nuclei.",
        "protocol": w.row(w.any("document_sop")).label,
    },
    acts={"amend": lambda w, row: {"objectives": "Count nuclei and spots."}},
    before={"unblind": lambda w, row: w.do(row.number, "ask_unblinding")},
    on={"ask_unblinding": _blinded, "unblind": _blinded},
    breaks={"amend": {"two signatures": _unblinding}},
)
