"""A guard refuses under the code its declaration names, with every sentence that does not hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coverslip.errors import CATALOGUE
from coverslip.kernel import words as w
from fix_grounds import Grounds
from fix_lab import Lab, refused
from fix_types import lab_with

LABEL = w.Type(
    name="label_x",
    title="Label",
    version=1,
    purpose="A label.",
    number=w.Number("XLB"),
    gxp="gmp",
    title_field="name",
    fields={"name": w.Field(w.Text(), "Name", required=True), "size": w.Field(w.Int(), "Size")},
    states=(w.State("open"), w.State("done", terminal=True, locked=True)),
    create=w.Making(("ANL",), "open"),
    transitions=(
        w.Transition(
            "finish", "Finish", ("open",), "done", ("ANL",),
            requires=(
                w.Compare(("name",), "ne", "no", message="Say what it is", code="REASON"),
                w.Compare(("size",), "present", message="The size is measured", code="VAL_REQ"),
                w.Compare(("name",), "ne", "old", message="The name is not an old one"),
            ),
            signature=w.Signature("executed", "I did.", ("ANL",)),
        ),
    ),
    retention=w.Retention("SYS"),
)  # fmt: skip


@pytest.fixture(scope="module")
def labels(grounds: Grounds) -> Iterator[Lab]:
    with lab_with(grounds, LABEL) as found:
        yield found


@pytest.mark.parametrize(
    ("name", "code", "first"),
    [
        ("fine", "VAL_REQ", "The size is measured."),
        ("no", "REASON", "Say what it is. The size is measured."),
        ("old", "VAL_REQ", "The size is measured. The name is not an old one."),
    ],
)
def test_the_first_code_declared_wins_and_every_sentence_is_told(
    labels: Lab, name: str, code: str, first: str
) -> None:
    number = labels.alan.create("label_x", name=name)
    with refused(code) as said:
        labels.alan.do(number, "finish", sign=True)
    assert said[0].message == first
    assert "(" not in said[0].remedy, "a remedy shows no raw placeholder"
    assert said[0].status == CATALOGUE[code].status
    assert labels.row(number).state == "open"


def test_what_a_guard_will_refuse_is_told_in_advance_whatever_its_code(labels: Lab) -> None:
    row = labels.row(labels.alan.create("label_x", name="fine"))
    error = labels.door.explain(row, labels.alan.context, "finish")
    assert error is not None and error.code == "VAL_REQ"


def test_a_refusal_under_another_code_is_an_entry_too(labels: Lab) -> None:
    number = labels.alan.create("label_x", name="no")
    before = labels.entries()
    with refused("REASON"):
        labels.alan.do(number, "finish", sign=True)
    assert labels.entries() in (before, before + 1), "validation is one entry a minute, with a count"
    assert any(r["code"] == "REASON" for r in labels.refusals())
