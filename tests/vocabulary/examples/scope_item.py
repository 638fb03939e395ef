"""A kind of record that a rule asks for."""

from __future__ import annotations

from uuid import uuid4

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "kind": "record_type",
        "name": f"Calibration records {uuid4().hex[:12]}",
        "record_type": "calibration",
        "predicate_rules": ["21 CFR 211.68", "EU GMP Annex 11 §1"],
        "required_by_rule": True,
        "used_electronically": True,
        "predominant_copy": "electronic",
        "gamp_category": "4",
        "risk": "H",
        "owner": w.number_of("bench1"),
        "system_class": "closed",
    },
    breaks={
        "assess": {"say the same": lambda w, row: w.do(row.number, "edit", required_by_rule=False)},
    },
    acts={"exclude": lambda w, row: {"out_of_scope_because": "Replaced by the records of another system."}},
)
