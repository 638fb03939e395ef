"""Whatever a patch says, the refined type permits nothing that the type did not, and asks all it asked."""

from __future__ import annotations

import functools
from dataclasses import replace as data_replace
from typing import Any

import pytest
from hypothesis import event, given, settings, strategies as st
from msgspec.structs import replace

from coverslip.errors import CoverslipError, Invalid
from coverslip.kernel import words as w
from coverslip.kernel.change import Change, Context
from coverslip.kernel.decide import Decision, decide
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.drafts import Ids, Request
from coverslip.kernel.facts import Facts, plan_act
from coverslip.kernel.patches import PREFIX
from coverslip.kernel.refined import refined, refinement
from coverslip.kernel.refining import tried
from coverslip.kernel.rows import Authority, Row
from coverslip.records import all_types
from fix_refining import loosened, steps

SIGNED = functools.partial(w.Signature, text="I say so.")
TOY = w.Type(
    name="toy",
    title="Toy",
    version=1,
    purpose="To be refined.",
    number=w.Number("TOY"),
    gxp="gmp",
    title_field="title",
    fields={
        "title": w.Field(w.Text(60), "Title", required=True),
        "note": w.Field(w.Rich(400), "Note", required_at=("approved",)),
        "count": w.Field(w.Int(0, 100), "Count"),
        "grade": w.Field(w.Enum(("a", "b", "c")), "Grade", immutable_at=("approved",)),
        "on": w.Field(w.Date(), "On"),
        "rows": w.Field(
            w.Table({"name": w.Column(w.Text(9)), "n": w.Column(w.Int(), required=False)}), "Rows"
        ),
    },
    states=(
        w.State("draft"),
        w.State("in_review"),
        w.State("approved", locked=True, effective=True),
        w.State("closed", terminal=True, locked=True),
    ),
    create=w.Making(("AUT", "ANL"), "draft"),
    edit=w.Editing(("AUT", "ANL"), ("draft",)),
    persons={"author": w.Actor("create"), "editor": w.Touched(), "reviewer": w.Signer("reviewed")},
    transitions=(
        w.Transition("submit", "Submit", ("draft",), "in_review", ("AUT",),
                     requires=(w.Compare(("count",), "present"),)),
        w.Transition("review", "Review", ("in_review",), "", ("REV",), independent_of=("author",),
                     signature=SIGNED("reviewed", roles=("REV",))),
        w.Transition("comment", "Comment", ("in_review",), "", ("*",), fields=("note",), reason=w.Reason(10)),
        w.Transition("return", "Return", ("in_review",), "draft", ("REV", "QA"), reason=w.Reason(10)),
        w.Transition("approve", "Approve", ("in_review",), "approved", ("QA",),
                     requires=(w.Signed("reviewed"), w.Filled("rows", ("n",))),
                     signature=SIGNED("approved", roles=("QA",), independent_of=("author", "reviewer"))),
        w.Transition("close", "Close", ("approved",), "closed", ("QA", "ADM"), reason=w.Reason(),
                     signature=SIGNED("closed")),
    ),
    retention=w.Retention("SYS"),
)  # fmt: skip
SHIPPED = Catalogue([TOY])
PEOPLE = ("p1", "p2", "p3")
TEXTS = st.sampled_from(["", "a", "Room 12", "x" * 30, "as seen at the bench today, twice over"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "title": TEXTS,
    "note": TEXTS,
    "count": st.one_of(st.integers(-1, 120), st.none()),
    "grade": st.sampled_from(["a", "b", "c", "d"]),
    "on": st.sampled_from(["2026-11-21", "2025-01-01", "soon"]),
    "rows": st.lists(
        st.fixed_dictionaries({"name": TEXTS}, optional={"n": st.integers(0, 9)}), max_size=2
    ),
    "site_a": st.one_of(TEXTS, st.integers(0, 9), st.booleans()),
    "site_b": st.one_of(TEXTS, st.integers(0, 9), st.booleans()),
}  # fmt: skip

GOOD: dict[str, list[Any]] = {
    "title": ["Control wells", "Plate 1"],
    "note": ["as seen", "not as planned"],
    "count": [0, 12, 100],
    "grade": ["a", "b"],
    "on": ["2026-11-21"],
}


def fitting(declared: w.Type, given: list[dict[str, Any]]) -> w.Type:
    """Return the type with every step that can be taken, the others left out, one after the other."""
    for step in given:
        after, problems = tried(declared, {"steps": [step]})
        declared = declared if problems else after
    return declared


@st.composite
def patched(draw: st.DrawFn, declared: w.Type, most: int = 6) -> tuple[w.Type, list[dict[str, Any]]]:
    found = draw(st.lists(steps(declared), min_size=1, max_size=most))
    return fitting(declared, found), found


def refined_toy(given: list[dict[str, Any]]) -> Catalogue:
    """Return the catalogue with every step the toy can take beside the others, one upon the other."""
    catalogue, kept = SHIPPED, list[dict[str, Any]]()
    for step in given:
        patch = {"steps": [*kept, step]}
        try:
            catalogue = refined(SHIPPED, [refinement("RFN-0001", {"type": "toy", "patch": patch})])
        except Invalid:
            continue
        kept.append(step)
    return catalogue


# --- by the words ------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_patch_of_any_shipped_type_takes_anything_away(data: st.DataObject) -> None:
    declared = data.draw(st.sampled_from(all_types()))
    after, _ = data.draw(patched(declared))
    event("refined" if after != declared else "as it was")
    assert loosened(declared, after) == []


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_patch_with_one_bad_step_changes_nothing_and_names_it(data: st.DataObject) -> None:
    found = data.draw(st.lists(steps(TOY), min_size=1, max_size=4))
    bad = {"word": "mark_critical", "field": "gone"}
    at = data.draw(st.integers(0, len(found)))
    with pytest.raises(Invalid) as caught:
        patch = {"steps": [*found[:at], bad, *found[at:]]}
        refined(SHIPPED, [refinement("RFN-0001", {"type": "toy", "patch": patch})])
    listed = caught.value.values["problems"]
    form = ("no word of a refinement", "'label'", "message", "role")
    if not any(sign in problem for problem in listed for sign in form):
        assert any(f"step {at + 1} (mark_critical)" in problem for problem in listed), listed


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_refined_type_is_refined_further_and_never_back(data: st.DataObject) -> None:
    once, _ = data.draw(patched(TOY))
    twice, _ = data.draw(patched(once))
    assert loosened(TOY, twice) == [] and loosened(once, twice) == []


# --- by what is decided ------------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Facts, Change, Context]:
    """Draw a moment: a record or none, who holds what, and what somebody asks for."""
    some = st.sets(st.sampled_from(["AUT", "ANL", "REV", "QA", "ADM"]))
    roles = {p: draw(st.one_of(some, st.just({"AUT", "ANL", "REV", "QA"}))) for p in PEOPLE}
    authority = [Authority(p, "account", p, "", "", "", "", {"verified": True}) for p in PEOPLE]
    authority += [Authority(p, "role", code, "", "", "", "", {}) for p in PEOPLE for code in sorted(roles[p])]
    act = draw(st.sampled_from(["create", "edit", *(t.name for t in TOY.transitions)]))
    likely = draw(st.integers(0, 3)) > 0
    acts = {t.name: t for t in TOY.transitions}
    from_ = acts[act].from_ if act in acts else ("draft",)
    state = draw(st.sampled_from([s.name for s in TOY.states] if not likely else from_))
    site = {n: VALUES[n] for n in ("site_a", "site_b")}
    usual = {"create": ("title", "count", "grade"), "edit": ("title", "note", "on"), "comment": ("note",)}
    given = {n: st.sampled_from(GOOD[n]) for n in usual.get(act, ())} if likely else {}
    fields = draw(st.fixed_dictionaries(given, optional=site if likely else VALUES))
    kept = {
        "title": "Old", "note": "old", "count": 7, "grade": "a", "rows": [{"name": "r", "n": 1}],
        "site_a": "Room 12", "site_b": "b",
    }  # fmt: skip
    few = draw(st.sets(st.sampled_from(sorted(kept)))) | {"title"}
    there = {n: kept[n] for n in (few if not likely else kept.keys() - {draw(st.sampled_from(sorted(kept)))})}
    marks = {"create": ["p3"], "touched": ["p3"], "signed_reviewed": ["p2"], "submit": ["p3"]}
    if not likely:
        named = (*marks, "signed_witnessed")
        marks = {m: sorted(draw(st.sets(st.sampled_from(PEOPLE)))) for m in named}
    content = {
        "type": "toy", "number": "TOY-0001", "gxp": "gmp", "state": state, "title": "Old", "fields": there,
        "people": marks, "created_at": "2026-11-20T00:00:00Z", "created_by": "p1",
    }  # fmt: skip
    row = Row("toy", "u1", "TOY-0001", 0, 3, 3, state, "Old", "gmp", "aa", "dd", content)
    facts = Facts(
        "2026-11-21T04:00:00.000000Z", {"kind": "person"}, 1, tuple(authority),
        None if act == "create" else row, {}, {"use": "evaluation"}, {},
        {"off_us": 0, "src": "none", "ok": True},
    )  # fmt: skip
    person = "p1" if likely else draw(st.sampled_from(PEOPLE))
    reason = "as seen at the bench today, twice over" if likely else draw(TEXTS)
    change = Change(act, "toy", "" if act == "create" else "TOY-0001", 0, fields, reason, 3)
    return facts, change, Context("s", person, "password")


def decided(catalogue: Catalogue, facts: Facts, change: Change, context: Context) -> Decision | None:
    """Return the decision, or None where it is refused."""
    definition = catalogue["toy"]
    ids = Ids("u1", "TOY-0001", _nothing_made)
    plan_act(catalogue, definition, change.act)
    try:
        return decide(Request(catalogue, definition, change, context, ids, {}, {}, None), facts)
    except CoverslipError:
        return None


def _nothing_made(definition: Definition, index: int, fields: Any) -> tuple[str, str]:
    raise AssertionError("a toy makes no records")


def without_site(change: Change) -> Change:
    given = {n: v for n, v in change.fields.items() if not n.startswith(PREFIX)}
    return data_replace(change, fields=given)


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_whatever_the_refined_type_permits_the_type_permitted(data: st.DataObject) -> None:
    catalogue = refined_toy(data.draw(st.lists(steps(TOY), min_size=1, max_size=4)))
    facts, change, context = data.draw(worlds())
    now = decided(catalogue, facts, change, context)
    plain = without_site(change)
    if now is None or (change.act == "edit" and not plain.fields):
        event("refused, or about the site's own fields alone")
        return
    event(f"permitted: {change.act}, {'as it was' if catalogue is SHIPPED else 'refined'}")
    before = decided(SHIPPED, facts, plain, context)
    if before is None and change.act == "edit" and now.primary.fields.items() >= plain.fields.items():
        # Without the site's fields nothing may be left that changes anything.
        row = facts.record
        assert row is not None
        assert all(row.fields.get(n) == v for n, v in now.primary.fields.items() if not n.startswith(PREFIX))
        return
    assert before is not None, "the type refuses what its refinement permits"
    assert shipped_part(now) == shipped_part(before)
    if before.signature is not None:
        asked = now.signature
        assert asked is not None and asked.meaning == before.signature.meaning
        assert set(before.signature.independent_of) <= set(asked.independent_of)
    else:
        new = now.signature.meaning if now.signature else ""
        assert new not in {"reviewed", "approved", "closed"}


def shipped_part(decision: Decision) -> dict[str, Any]:
    """Return content as it would be without what the site added: its fields, and its signatures."""
    content = decision.primary.content
    new = {"signed_witnessed", "signed_verified", "signed_acknowledged", "signed_waived", "touched"}
    return {
        **content,
        "fields": {n: v for n, v in content["fields"].items() if not n.startswith(PREFIX)},
        "people": {n: p for n, p in content["people"].items() if n not in new},
    }


# --- the judge itself --------------------------------------------------------------------------


def _transition(name: str, **changes: Any) -> w.Type:
    listed = tuple(replace(t, **changes) if t.name == name else t for t in TOY.transitions)
    return replace(TOY, transitions=listed)


def _field(name: str, **changes: Any) -> w.Type:
    return replace(TOY, fields={**TOY.fields, name: replace(TOY.fields[name], **changes)})


@pytest.mark.parametrize(
    "looser",
    [
        replace(TOY, transitions=()),
        replace(TOY, transitions=TOY.transitions[:-1]),
        replace(TOY, edit=None),
        replace(TOY, fields={n: f for n, f in TOY.fields.items() if n != "note"}),
        replace(TOY, persons={}),
        replace(TOY, create=replace(TOY.create, who=("AUT", "ANL", "QA"))),
        replace(TOY, edit=replace(TOY.edit, reason=w.Reason(2))),
        replace(TOY, retention=w.Retention("PERS")),
        _transition("approve", requires=()),
        _transition("approve", requires=(w.When(w.Compare(("count",), "lt", -1), (w.Signed("reviewed"),)),)),
        _transition("approve", who=()),
        _transition("approve", who=("QA", "ANL")),
        _transition("approve", signature=None),
        _transition("approve", signature=SIGNED("approved", roles=("QA",))),
        _transition("approve", fields=("grade",)),
        _transition("review", independent_of=()),
        _transition("comment", reason=None),
        _field("grade", kind=w.Enum(("a", "b", "c", "d"))),
        _field("grade", immutable_at=()),
        _field("note", required_at=()),
        _field("count", kind=w.Int(0, 101)),
        _field("title", required=False),
        _field("title", kind=w.Rich()),
    ],
)  # fmt: skip
def test_the_judge_sees_what_would_be_taken_away(looser: w.Type) -> None:
    assert loosened(TOY, looser)


def test_the_judge_passes_what_is_as_it_was_or_more() -> None:
    assert loosened(TOY, TOY) == []
    more = (*TOY.transitions[4].requires, w.NotOnHold(()))
    assert loosened(TOY, _transition("approve", requires=more)) == []
