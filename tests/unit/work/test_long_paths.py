"""People whom only a chain of several records names find their work too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coverslip.bootstrap.working import working
from coverslip.kernel import words as w
from fix_grounds import Grounds
from fix_lab import Lab, Person
from fix_types import lab_with

LONG = w.Type(
    name="errand",
    title="Errand",
    version=1,
    purpose="Work for people whom only a chain of records names.",
    number=w.Number("XER"),
    gxp="none",
    title_field="title",
    fields={
        "title": w.Field(w.Text(100), "Title", required=True),
        "before": w.Field(w.Link(("errand",), "none"), "Errand before"),
        "taker": w.Field(w.Link(("user",), "none"), "Taker"),
    },
    states=(w.State("open"), w.State("done", terminal=True, locked=True)),
    create=w.Making(("*",), "open"),
    persons={
        "taker": w.PersonAt(("before", "before", "before", "taker")),
        "maker": w.Actor("create", ("before", "before")),
    },
    transitions=(w.Transition("finish", "Finish", ("open",), "done", persons=("taker", "maker")),),
    retention=w.Retention("SYS"),
)


@pytest.fixture(scope="module")
def errands(grounds: Grounds) -> Iterator[Lab]:
    with lab_with(grounds, LONG) as found:
        yield found


def waiting_for(lab: Lab, person: Person) -> set[str]:
    items = working(lab.accounts._pool, lab.store, lab.door).mine(person.context, "", 100)["items"]
    return {item["number"] for item in items}


def test_work_reaches_people_whom_only_a_chain_of_records_names(errands: Lab) -> None:
    lab = errands
    first = lab.alan.create("errand", title="First", taker=lab.number_of("mia"))
    second = lab.olga.create("errand", title="Second", before=first)
    third = lab.alan.create("errand", title="Third", before=second)
    fourth = lab.alan.create("errand", title="Fourth", before=third)
    assert {n for n in waiting_for(lab, lab.mia) if n.startswith("XER")} == {fourth}
    assert {n for n in waiting_for(lab, lab.olga) if n.startswith("XER")} == {fourth}
    assert {n for n in waiting_for(lab, lab.alan) if n.startswith("XER")} == {third}
    assert not {n for n in waiting_for(lab, lab.rex) if n.startswith("XER")}
