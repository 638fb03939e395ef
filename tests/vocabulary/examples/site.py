"""A site of its own, which no agency asks a letter of."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World

EXAMPLE = Example(
    create=lambda w: {
        "name": "Second site",
        "code": w.letters(),
        "address": "2 Slide Street",
        "tz": "Europe/Paris",
        "regulated_as": [{"authority": "other", "predicate": "food"}],
        "time_source": "none",
    },
    acts={"amend": lambda w, row: {"address": "3 Slide Street"}},
    nobody={"activate": "Only administrators propose and edit a site, and they cannot hold QA."},
    breaks={
        "activate": {"No 11.100(c) certification": lambda w, row: _fda(w, row)},
        "amend": {
            "No 11.100(c) certification": lambda w, row: {
                "regulated_as": [{"authority": "fda", "predicate": "drug"}]
            },
            "open system": lambda w, row: {"system_class": "open"},
        },
    },
)


def _fda(w: World, row: Row) -> None:
    w.do(row.number, "edit", regulated_as=[{"authority": "fda", "predicate": "drug"}])
