"""What others did is told in sentences in the past, in the words of the declarations."""

from __future__ import annotations

import re

import pytest

from coverslip.kernel.definition import define
from coverslip.records import all_types
from coverslip.web.doing import did

TYPES = {t.name: define(t) for t in all_types()}


@pytest.mark.parametrize(
    ("kind", "act", "said"),
    [
        ("document_sop", "approve", "approved SOP-0003"),
        ("document_sop", "submit", "submitted SOP-0003 for review"),
        ("document_sop", "make_effective", "brought SOP-0003 into force"),
        ("instrument", "put_in_service", "put SOP-0003 in service"),
        ("review_case", "technical", "reviewed SOP-0003 technically"),
        ("document_sop", "create", "made SOP-0003"),
        ("document_sop", "edit", "changed SOP-0003"),
    ],
)
def test_an_act_is_told_as_what_somebody_did(kind: str, act: str, said: str) -> None:
    assert did(act, "SOP-0003", TYPES[kind]) == said


@pytest.mark.parametrize("name", TYPES)
def test_every_act_of_every_type_is_told_in_the_past_or_quoted_as_it_stands(name: str) -> None:
    for act, declared in TYPES[name].acts.items():
        said = did(act, "X-0001", TYPES[name])
        first = said.partition(" ")[0]
        quoted = said == f"did “{declared.label}” on X-0001"
        past = first.endswith("ed") or first in (
            *("made", "put", "took", "sent", "began", "brought", "drew", "froze", "left", "kept", "read"),
            *("withdrew", "stood", "let", "reset", "gave"),
        )
        assert quoted or past, said
        assert said.count("X-0001") == 1
        assert not re.search(r"[{}_]|  ", said)
        assert did(act, "", TYPES[name]).strip()


def test_an_act_no_declaration_has_is_quoted() -> None:
    assert did("sniff", "X-0001", None) == "did “sniff” on X-0001"
