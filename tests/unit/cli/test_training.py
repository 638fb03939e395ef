"""The training matrix on the command line: for people, of one role, the gaps alone, and for machines."""

from __future__ import annotations

import json
from typing import Any


def test_the_matrix_is_a_line_for_each_role_document_and_person(ada: Any) -> None:
    ran = ada("training", "matrix")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "ANL\tSOP-0001 v1\tUSR-0001\tAda\tgreen\ttrained on SOP-0001 v1",
        "ANL\tSOP-0001 v1\tUSR-0002\tBob\tred\tnot trained, not assigned",
        "1 green, 0 amber, 1 red as of 2026-11-21T04:00:00Z",
    ]


def test_gaps_leave_out_what_is_green(ada: Any) -> None:
    names = [line.split("\t")[3] for line in ada("training", "matrix", "--gaps").out.splitlines()[:-1]]
    assert names == ["Bob"]


def test_one_role_has_no_other(ada: Any) -> None:
    assert ada("training", "matrix", "--role", "QA").out.splitlines() == [
        "0 green, 0 amber, 0 red as of 2026-11-21T04:00:00Z"
    ]
    assert len(json.loads(ada("training", "matrix", "--role", "ANL", "--json").out)["cells"]) == 2


def test_what_is_no_role_is_refused(ada: Any) -> None:
    assert ada("training", "matrix", "--role", "analyst; drop").code != 0
