"""Acts on many records: made for each of many, done to all that link here, rows added, votes cleared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from coverslip.kernel import words as w
from coverslip.kernel.change import Change
from coverslip.kernel.rules import RuleInput, rule
from fix_grounds import Grounds
from fix_lab import SHOWN, TODAY, Lab, refused
from fix_types import lab_with


@rule("tests_trays_of", 1)
def trays_of(inp: RuleInput) -> list[dict[str, Any]]:
    """One tray for each row of the plan."""
    return [{"name": row["name"]} for row in inp.fields["plan"]]


RACK = w.Type(
    name="rack",
    title="Rack",
    version=1,
    purpose="A rack of trays.",
    number=w.Number("XRK"),
    gxp="gmp",
    title_field="name",
    fields={
        "name": w.Field(w.Text(), "Name", required=True),
        "months": w.Field(w.Int(0, 99), "Months", default=14),
        "start": w.Field(w.Date(), "Start", default="2024-01-31"),
        "plan": w.Field(w.Table({"name": w.Column(w.Text(50, 1))}), "Plan", required=True),
        "log": w.Field(
            w.Table({"who": w.Column(w.Link(("user",), "none")), "when": w.Column(w.Date())}),
            "Log",
            source="computed",
        ),
    },
    states=(
        w.State("open"),
        w.State("filled"),
        w.State("agreed"),
        w.State("gone", terminal=True, locked=True),
    ),
    create=w.Making(("ANL",), "open"),
    edit=w.Editing(("ANL",), ("open",)),
    persons={"first": w.Actor("vote_rev"), "second": w.Actor("vote_qa")},
    transitions=(
        w.Transition(
            "fill",
            "Fill",
            ("open",),
            "filled",
            ("ANL",),
            effects=(
                w.Append("log", {"who": w.Value("actor"), "when": w.Value("today")}),
                w.Create("tray", "rack", {"due": w.Value("path", path=("start",), months_at=("months",))},
                         each=w.Rule("tests_trays_of", 1, message="Trays.")),
                w.Create("tray", "rack", {"name": w.Value("literal", "spare")},
                         when=(w.Compare(("months",), "ge", 50, message=""),)),
            ),
        ),
        w.Transition("vote_rev", "Vote", ("filled",), "", ("REV",), independent_of=("second",),
                     signature=w.Signature("reviewed", "I agree.", ("REV",), ("second",))),
        w.Transition("vote_qa", "Vote", ("filled",), "", ("QA", "REV"), independent_of=("first",),
                     signature=w.Signature("reviewed", "I agree.", ("QA", "REV"), ("first",))),
        w.Transition("agree", "Agree", ("filled",), "agreed", ("ANL",),
                     requires=(w.Signed("", act="vote_rev", message="A reviewer voted."),
                               w.Signed("reviewed", n=2))),
        w.Transition("redo", "Redo", ("filled", "agreed"), "filled", ("ANL",),
                     clears=("reviewed", "vote_rev", "vote_qa"), reason=w.Reason()),
        w.Transition("leave", "Leave", ("filled", "agreed"), "gone", ("ANL",),
                     signature=w.Signature("executed", "I took it away.", ("ANL",)),
                     effects=(w.DoEach("tray", "rack", "empty"),)),
    ),
    retention=w.Retention("SYS"),
)  # fmt: skip
TRAY = w.Type(
    name="tray",
    title="Tray",
    version=1,
    purpose="One tray.",
    number=w.Number("XTY"),
    gxp="gmp",
    title_field="name",
    fields={
        "name": w.Field(w.Text(), "Name", required=True),
        "rack": w.Field(w.Link(("rack",), "version"), "Rack", required=True),
        "due": w.Field(w.Date(), "Due"),
    },
    states=(w.State("full"), w.State("lost"), w.State("empty", terminal=True, locked=True)),
    create=w.Making(("ANL",), "full", requires=(w.Compare(("name",), "ne", "bad", message="No bad tray."),)),
    transitions=(
        w.Transition("lose", "Lose", ("full",), "lost", ("ANL",)),
        w.Transition(
            "empty", "Empty", ("full",), "empty", consequence=True,
            requires=(w.InState(("rack",), ("filled", "agreed")),),
        ),
    ),
    retention=w.Retention("SYS"),
)  # fmt: skip


@pytest.fixture(scope="module")
def racks(grounds: Grounds) -> Iterator[Lab]:
    with lab_with(grounds, RACK, TRAY) as found:
        yield found


def _rack(lab: Lab, *names: str, **more: Any) -> str:
    plan = [{"name": n} for n in names]
    return lab.alan.create("rack", name="Rack", plan=plan, **more)


def _trays(lab: Lab, rack: str) -> list[Any]:
    return sorted(lab.reading.linked(lab.row(rack).uid), key=lambda r: r.number)


def test_a_record_is_made_for_each_row_with_links_to_the_very_version_and_dates_computed(racks: Lab) -> None:
    number = _rack(racks, "a", "b", "c")
    receipt = racks.alan.do(number, "fill")
    assert len(receipt.entries) == 4
    made = _trays(racks, number)
    assert [t.fields["name"] for t in made] == ["a", "b", "c"]
    rack = racks.row(number)
    assert {(t.fields["rack"]["version"], t.fields["rack"]["hash"]) for t in made} == {(2, rack.leaf_hash)}
    assert {t.fields["due"] for t in made} == {"2025-03-31"}
    made_by = {"create": [racks.alan.uid], "touched": [racks.alan.uid]}
    assert [t.people for t in made] == [made_by] * 3, "whoever made it counts as having touched it"
    assert rack.fields["log"] == [
        {"who": {"type": "user", "uid": racks.alan.uid, "number": racks.number_of("alan")},
         "when": TODAY.isoformat()}
    ]  # fmt: skip
    assert racks.replay() == []


def test_a_condition_decides_whether_one_more_is_made(racks: Lab) -> None:
    number = _rack(racks, "a", months=60)
    racks.alan.do(number, "fill")
    assert [t.title for t in _trays(racks, number)] == ["a", "spare"]


def test_a_made_record_that_its_own_type_refuses_leaves_the_act_undone(racks: Lab) -> None:
    number = _rack(racks, "a", "bad")
    with refused("SEQ_PRE") as said:
        racks.alan.do(number, "fill")
    assert "No bad tray" in said[0].message
    assert (racks.row(number).state, _trays(racks, number)) == ("open", [])


def test_every_record_that_links_here_takes_the_act_where_its_state_allows(racks: Lab) -> None:
    number = _rack(racks, "a", "b", "c")
    racks.alan.do(number, "fill")
    other = _rack(racks, "z")
    racks.alan.do(other, "fill")
    racks.alan.do(_trays(racks, number)[1].number, "lose")
    receipt = racks.alan.do(number, "leave", sign=True)
    assert len({e.entry for e in receipt.entries}) == 3
    assert [t.state for t in _trays(racks, number)] == ["empty", "lost", "empty"]
    assert [t.state for t in _trays(racks, other)] == ["full"]
    assert racks.replay() == []


def test_a_quorum_needs_two_people_in_their_own_seats(racks: Lab) -> None:
    number = _rack(racks, "a")
    racks.alan.do(number, "fill")
    with refused("SEQ_PRE") as said:
        racks.alan.do(number, "agree")
    assert "A reviewer voted" in said[0].message
    racks.rita.do(number, "vote_rev", sign=True)
    with refused("AUTH_SELF"):
        racks.rita.do(number, "vote_qa", sign=True)
    with refused("SEQ_PRE"):
        racks.alan.do(number, "agree")
    racks.quinn.do(number, "vote_qa", sign=True)
    racks.alan.do(number, "agree")
    assert racks.row(number).state == "agreed"


def test_what_was_cleared_counts_no_more_and_is_kept_as_former(racks: Lab) -> None:
    number = _rack(racks, "a")
    racks.alan.do(number, "fill")
    racks.rita.do(number, "vote_rev", sign=True)
    racks.quinn.do(number, "vote_qa", sign=True)
    racks.alan.do(number, "redo", why="The plan was wrong in one row.")
    with refused("SEQ_PRE"):
        racks.alan.do(number, "agree")
    people = racks.row(number).people
    assert people["former_vote_rev"] == [racks.rita.uid]
    assert people["former_signed_reviewed"] == [racks.rita.uid, racks.quinn.uid]
    racks.rita.do(number, "vote_qa", sign=True)  # in another seat this time
    racks.rex.do(number, "vote_rev", sign=True)
    racks.alan.do(number, "agree")


def test_a_tray_added_between_reading_and_writing_is_emptied_or_the_act_is_decided_again(racks: Lab) -> None:
    """Who counts what links here is told when one more appears meanwhile."""
    number = _rack(racks, "a")
    racks.alan.do(number, "fill")
    original = racks.store.commit
    seen: list[int] = []

    def late(batch: Any) -> Any:
        if not seen:
            seen.append(1)
            racks.olga.create("tray", name="late", rack=number)
        return original(batch)

    racks.store.commit = late  # type: ignore[method-assign]
    try:
        change = Change("leave", number=number, expected_version=racks.row(number).version, shown=SHOWN)
        racks.alan.submit(change, racks.alan.credential)
    finally:
        racks.store.commit = original  # type: ignore[method-assign]
    assert [t.state for t in _trays(racks, number)] == ["empty", "empty"]
