"""Attempts to loosen a shipped type by a refinement, each refused with what was tried and why."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from coverslip.errors import Invalid
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.refined import refined, refinement
from coverslip.records import all_types
from fix_refining import loosened


@functools.cache
def shipped() -> Catalogue:
    return Catalogue(all_types())


def tried(kind: str, *steps: Any, number: str = "RFN-0001", **more: Any) -> Catalogue:
    """Return the catalogue with one refinement."""
    return refined(shipped(), [refinement(number, {"type": kind, "patch": {"steps": list(steps), **more}})])


def said(kind: str, *steps: Any, **more: Any) -> str:
    """Return everything a refinement is refused for."""
    with pytest.raises(Invalid) as caught:
        tried(kind, *steps, **more)
    assert caught.value.code == "REFINEMENT"
    return "; ".join(caught.value.values["problems"])


def field(name: str, **more: Any) -> dict[str, Any]:
    return {"word": "add_field", "name": name, "kind": {"word": "Text"}, "label": "Room", **more}


def guard(act: str, **asked: Any) -> dict[str, Any]:
    return {"word": "add_guard", "act": act, "guard": asked}


@pytest.mark.parametrize(
    ("kind", "step", "why"),
    [
        # there is no word for taking away, replacing or widening
        ("image_set", {"word": "remove_guard", "act": "freeze"}, "no word of a refinement"),
        ("image_set", {"word": "set_transitions", "transitions": []}, "no word of a refinement"),
        ("image_set", {"word": "add_transition", "name": "thaw", "from": ["frozen"]},
         "no word of a refinement"),
        ("image_set", {"word": "add_effect", "act": "freeze"}, "no word of a refinement"),
        ("image_set", {**guard("freeze", word="Compare", path=["title"], op="present"), "instead": True},
         "unknown field `instead`"),
        ("image_set", {"word": "narrow_who", "act": "freeze", "who": ["ANL"], "also": ["QA"]},
         "unknown field"),
        # a field under the name of another
        ("image_set", field("title"), "no name a site may give"),
        ("image_set", field("site_"), "no name a site may give"),
        ("image_set", field("site_Room"), "no name a site may give"),
        ("image_set", field("site_rооm"), "no name a site may give"),  # Cyrillic
        ("image_set", field("site_a.b"), "no name a site may give"),
        ("image_set", field("site_room", source="computed"), "unknown field `source`"),
        ("image_set", field("site_room", personal=True), "unknown field `personal`"),
        ("image_set", field("site_room", default="x"), "unknown field `default`"),
        ("image_set", field("site_room", label="Ro\u202eom"), "characters nobody sees"),
        ("image_set", field("site_room", required_at=["open", "gone"]), "there is no state 'gone'"),
        # acts that look like others
        ("image_set", {"word": "raise_reason", "act": "freezе", "minimum": 50},
         "though 'freeze' looks like it"),
        ("image_set", {"word": "narrow_who", "act": "Freeze", "who": ["ANL"]},
         "though 'freeze' looks like it"),
        # wider lists, longer limits, shorter reasons
        ("study", {"word": "narrow", "field": "kind", "choices": ["sandbox", "anything"]},
         "choices are fewer of"),
        ("study", {"word": "narrow", "field": "kind", "choices": []}, "choices are fewer of"),
        ("study", {"word": "narrow", "field": "kind", "choices": ["release_assay"]},
         "the type itself sets sandbox"),
        ("image_set", {"word": "narrow", "field": "title", "max_length": 100_000}, "no tighter than"),
        ("image_set", {"word": "narrow", "field": "title", "max_length": 0},
         "min_length is above max_length"),
        ("image_set", {"word": "narrow", "field": "title", "low": 3}, "Text has no low"),
        ("image_set", {"word": "raise_reason", "act": "edit", "minimum": 1}, "is not between 11 and"),
        ("image_set", {"word": "raise_reason", "act": "edit", "minimum": 10**6}, "is not between"),
        ("instrument", {"word": "narrow", "field": "interval_months", "high": "12"}, "must be written as"),
        # roles
        ("image_set", {"word": "narrow_who", "act": "freeze", "who": []}, "at least one"),
        ("image_set", {"word": "narrow_who", "act": "freeze", "who": ["*"]}, "'*' is no role"),
        ("image_set", {"word": "narrow_who", "act": "freeze", "who": ["ANL", "QA"]}, "QA may not do it now"),
        ("role_grant", {"word": "narrow_who", "act": "expire", "who": ["ADM"]}, "ADM may not do it now"),
        ("acquisition_session", {"word": "narrow_who", "act": "complete", "who": ["OPR"]},
         "does it by itself"),
        ("role_grant", {"word": "narrow_signers", "act": "approve", "roles": ["QA", "ADM"]}, "ADM may not"),
        # signatures: none replaced, none that another guard would be content with
        ("role_grant", {"word": "ask_signature", "act": "approve", "meaning": "witnessed", "text": "Seen."},
         "signed 'approved' already"),
        ("document_sop", {"word": "ask_signature", "act": "withdraw", "meaning": "reviewed", "text": "Seen."},
         "already means another signature"),
        ("document_sop", {"word": "ask_signature", "act": "withdraw", "meaning": "waived", "text": "Seen."},
         "already means another signature"),
        ("image_set", {"word": "ask_signature", "act": "cancel", "meaning": "blessed", "text": "Seen."},
         "not a meaning of the vocabulary"),
        ("image_set", {"word": "ask_signature", "act": "cancel", "meaning": "witnessed", "text": "Seen.",
                       "stage": "before_verification"}, "unknown field `stage`"),
        ("image_set", {"word": "ask_signature", "act": "use", "meaning": "witnessed", "text": "Seen."},
         "effect of another act"),
        ("image_set", {"word": "ask_signature", "act": "edit", "meaning": "witnessed", "text": "Seen."},
         "an edit is not signed"),
        ("image_set", {"word": "ask_signature", "act": "cancel", "meaning": "witnessed", "text": "Seen.",
                       "roles": ["QA"]}, "nobody could sign it"),
        # asked where nobody could give it, so that the way round would be the only way
        ("role_grant", {"word": "require_at", "field": "site", "states": ["expired"]},
         "done by the installation"),
        ("role_grant", {"word": "raise_reason", "act": "expire", "minimum": 20}, "done by the installation"),
        ("image_set", {"word": "require_at", "field": "selection_rule", "states": ["used"]},
         "no act leads to used"),
        ("study", {"word": "require_at", "field": "design", "states": ["approved"]},
         "cannot be given with it"),
        # asked of a record that an act makes too, which gives no such thing
        ("specimen", field("site_room", required_at=["registered"]), "give no 'site_room'"),
        ("hold", field("site_room", required_at=["active"]), "give no 'site_room'"),
        # conditions that could not be asked
        ("image_set", guard("freeze", word="Compare", path=["study", "gone"], op="present"), "leads no"),
        ("image_set", guard("freeze", word="Compare", path=[], op="present"), "leads to no field"),
        ("image_set", guard("freeze", word="Compare", path=["title"], op="eq"), "compared with nothing"),
        ("image_set", guard("freeze", word="Filled", table="title", columns=["x"]),
         "there is no column title.x"),
        ("image_set", guard("freeze", word="NoOpen", path=[], type="gone", field="x"),
         "no link of a record type"),
        ("image_set", guard("freeze", word="Rule", name="joined_title", version=1),
         "no guard of any shipped type"),
        ("image_set", guard("freeze", word="Rule", name="members_belong", version=1), "other things to read"),
        ("image_set", guard("freeze", word="Rule", name="gone", version=1), "there is no rule gone@1"),
        ("image_set", guard("gone", word="NotOnHold", path=[]), "there is no act 'gone'"),
        # messages are filled in by name, and by nothing else
        ("image_set", guard("freeze", word="NotOnHold", path=[], message="{number.__class__}"),
         "not a plain name"),
        ("image_set", guard("freeze", word="NotOnHold", path=[], message="{number:>999999999}"),
         "not a plain name"),
        ("image_set", guard("freeze", word="NotOnHold", path=[], message="{number"),
         "brace without its fellow"),
        # patterns that never end
        ("image_set", field("site_room", kind={"word": "Text", "pattern": "(a+)+b"}), "repeats what repeats"),
        ("image_set", field("site_room", kind={"word": "Text", "pattern": "((a+))+b"}), "repeats what"),
        ("image_set", field("site_room", kind={"word": "Text", "pattern": "(a|a)*b"}), "repeats what"),
        ("image_set", field("site_room", kind={"word": "Text", "pattern": "(([)]|\\))|a?){9,}b"}),
         "repeats what"),
        ("image_set", field("site_room", kind={"word": "Text", "pattern": "("}), "no regular expression"),
        # what decides over refinements, and what is not there
        ("refinement", {"word": "mark_critical", "field": "title"}, "not refined itself"),
        ("nothing", {"word": "mark_critical", "field": "title"}, "there is no record type 'nothing'"),
    ],
)  # fmt: skip
def test_an_attempt_to_loosen_or_to_break_is_refused_and_named(kind: str, step: Any, why: str) -> None:
    assert why in said(kind, step)


def test_a_patch_is_nothing_but_its_steps() -> None:
    assert "unknown field `transitions`" in said("image_set", {"word": "mark_critical", "field": "title"},
                                                 transitions=[])  # fmt: skip
    assert "1 to 200 steps" in said("image_set")
    deep: Any = {"word": "NotOnHold", "path": []}
    for _ in range(12):
        condition = {"word": "Compare", "path": ["title"], "op": "present"}
        deep = {"word": "When", "condition": condition, "then": [deep]}
    assert "levels of conditions" in said("image_set", {"word": "add_guard", "act": "freeze", "guard": deep})
    assert "larger than" in said("image_set", field("site_room", help="x" * 70_000))


def test_a_condition_that_never_holds_leaves_what_was_asked_where_it_was() -> None:
    never = {"word": "Compare", "path": ["title"], "op": "eq", "value": "never"}
    always = {"word": "Signed", "meaning": "authored", "path": []}
    step = guard("freeze", word="When", condition=never, then=[always])
    before, after = shipped()["image_set"].type, tried("image_set", step)["image_set"].type
    assert loosened(before, after) == []
    asked = {t.name: t.requires for t in before.transitions}
    assert next(t for t in after.transitions if t.name == "freeze").requires[:-1] == asked["freeze"]


def test_a_field_is_not_added_twice_by_two_refinements_of_which_the_second_is_weaker() -> None:
    both = [
        refinement(number, {"type": "image_set", "patch": {"steps": [step]}})
        for number, step in (
            ("RFN-0001", field("site_room", required_at=["frozen"])),
            ("RFN-0002", field("site_room")),
        )
    ]
    with pytest.raises(Invalid, match=r"RFN-0002: step 1 .*never replaced"):
        refined(shipped(), both)


def test_no_signature_of_the_site_satisfies_a_rule_that_looks_for_one_by_its_name() -> None:
    step = {"word": "ask_signature", "act": "freeze_never", "meaning": "witnessed", "text": "Seen."}
    assert "there is no act" in said("image_set", step)
    looked_for = {"word": "ask_signature", "act": "cancel", "meaning": "accepted_responsibility", "text": "x"}
    assert "looks for the meaning 'accepted_responsibility'" in said("image_set", looked_for)


def test_what_only_tightens_is_taken() -> None:
    steps = [
        field("site_room", required_at=["frozen"], critical=True),
        guard("freeze", word="Compare", path=["site_room"], op="ne", value="attic"),
        {"word": "narrow", "field": "title", "max_length": 80, "min_length": 4},
        {"word": "raise_reason", "act": "edit", "minimum": 30},
        {"word": "ask_signature", "act": "cancel", "meaning": "witnessed", "text": "I saw it go."},
        {"word": "add_summary", "fields": ["site_room"]},
    ]
    before, after = shipped()["image_set"], tried("image_set", *steps)["image_set"]
    assert after.hash != before.hash and after.type.version == before.type.version + 1
    assert loosened(before.type, after.type) == []


def test_an_older_release_and_a_withdrawn_one_have_hashes_of_their_own() -> None:
    step = {"word": "mark_critical", "field": "title"}
    row = {"type": "image_set", "patch": {"steps": [step]}}
    forms = [
        [],
        [refinement("RFN-0001", row)],
        [refinement("RFN-0001", {"type": "image_set"})],
        [refinement("RFN-0001", {"type": "image_set"}), refinement("RFN-0002", row)],
        [refinement("RFN-0001", {"type": "image_set"}), refinement("RFN-0002", {"type": "image_set"})],
    ]
    found = [refined(shipped(), form)["image_set"] for form in forms]
    assert len({one.hash for one in found}) == len(forms)
    assert [one.type.version for one in found] == sorted({one.type.version for one in found})
    assert {one.shipped for one in found} == {found[0].hash}


@pytest.mark.parametrize(
    "pattern", ["[A-Z]{2}-[0-9]+", "(GMP|GLP)-[0-9]{4}", "[a-z]+( [a-z])?", "[(+]+x", r"\(a+\)+", "(ab)+"]
)
def test_a_pattern_that_ends_is_taken(pattern: str) -> None:
    kind = {"word": "Text", "pattern": pattern}
    assert "site_room" in tried("image_set", field("site_room", kind=kind))["image_set"].type.fields
