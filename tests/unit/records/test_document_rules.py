"""Rules of documents, training, curricula, delegation and lists: what they let pass and how they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from coverslip.kernel import rules
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput
from coverslip.records import all_types
from coverslip.records.organisation.vocabulary import SIGNATURE_MEANINGS, _signed_with

NOW = "2026-11-21T04:00:00.000000Z"
Rows = tuple[Row, ...]
assert all_types(), "loading the types registers their rules"


def row(
    number: str,
    fields: dict[str, Any] | None = None,
    *,
    state: str = "active",
    revision: int = 0,
    people: dict[str, list[str]] | None = None,
) -> Row:
    content = {"fields": fields or {}, "people": people or {}}
    return Row("x", f"uid-{number}-{revision}", number, revision, 1, 1, state, "", "gmp", "", "", content)


def person(name: str) -> dict[str, Any]:
    return {"type": "user", "uid": name, "number": f"USR-{name}"}


def ask(
    name: str,
    fields: dict[str, Any] | None = None,
    *,
    record: Row | None = None,
    reads: Mapping[str, Rows] | None = None,
    children: Mapping[str, Rows] | None = None,
) -> Any:
    version = max(v for n, v in rules._RULES if n == name)
    return rules.find(name, version)(RuleInput(fields or {}, record, reads or {}, children or {}, "ann", NOW))


def grant(name: str, role: str = "ANL", state: str = "active", **span: str) -> Row:
    link = {"type": "role", "uid": role, "number": f"ROLE-{role}"}
    return row(f"GRT-{name}-{role}", {"person": person(name), "role": link, **span}, state=state)


def training(name: str, state: str = "completed", document: str = "SOP-0001") -> Row:
    return row(
        f"TRN-{name}-{document}", {"person": person(name), "document": {"number": document}}, state=state
    )


# --- coming into force -----------------------------------------------------------------------------


def test_approval_asks_every_holder_of_the_audience_once_and_nobody_whose_grant_is_over() -> None:
    grants = (
        grant("bob"),
        grant("ann"),
        grant("ann", "OPR"),
        grant("cid", state="revoked"),
        grant("dan", end="2026-11-20"),
        grant("eve", start="2026-11-22"),
    )
    found = ask(
        "audience_assignments", {"training_depth": "assessed"}, children={"grants": grants, "training": ()}
    )
    assert found == [{"person": person("ann")}, {"person": person("bob")}]


@pytest.mark.parametrize("state", ["assigned", "acknowledged", "blocked", "completed", "exempted"])
def test_nobody_is_asked_twice(state: str) -> None:
    children = {"grants": (grant("ann"), grant("bob")), "training": (training("ann", state),)}
    assert ask("audience_assignments", {"training_depth": "assessed"}, children=children) == [
        {"person": person("bob")}
    ]


@pytest.mark.parametrize("state", ["cancelled", "expired", "superseded", "voided"])
def test_whoever_has_nothing_open_is_asked_again(state: str) -> None:
    children = {"grants": (grant("ann"),), "training": (training("ann", state),)}
    found = ask("audience_assignments", {"training_depth": "read_understood"}, children=children)
    assert found == [{"person": person("ann")}]


def test_a_document_without_training_asks_nobody() -> None:
    children = {"grants": (grant("ann"),), "training": ()}
    assert ask("audience_assignments", {"training_depth": "none"}, children=children) == []
    assert ask("audience_assignments", {}, children=children) == []


def test_the_exempted_count_as_trained_and_the_assigned_do_not() -> None:
    fields = {"training_depth": "assessed", "criticality": "gxp_critical"}
    record = row("SOP-0001", revision=2, state="approved")
    grants = (grant("ann"), grant("bob"))
    done = {"grants": grants, "training": (training("ann"), training("bob", "exempted"))}
    assert ask("audience_trained", fields, record=record, children=done) is None
    left = {"grants": grants, "training": (training("ann"), training("bob", "assigned"))}
    assert ask("audience_trained", fields, record=record, children=left) == (
        "1 of 2 in the audience are trained on SOP-0001 v2; 100 % are needed, or a QA waiver."
    )


def test_a_first_version_needs_no_change_and_a_second_does() -> None:
    change = {"change_control": {"type": "change", "uid": "c", "number": "CHG-2026-0001"}}
    assert ask("change_control_linked", {}, record=row("SOP-0001", revision=1)) is None
    assert ask("change_control_linked", change, record=row("SOP-0001", revision=2)) is None
    said = ask("change_control_linked", {}, record=row("SOP-0001", revision=2))
    assert said == "A change control is linked: version 2 and later need one."


@pytest.mark.parametrize("state", ["issued", "recalled", "handed_back"])
def test_a_version_with_copies_out_is_not_superseded_unless_quality_waives(state: str) -> None:
    copies = {"copies": (row("CC-0001", state=state), row("CC-0002", state="returned"))}
    said = ask("copies_accounted_for", record=row("SOP-0001", revision=1), children=copies)
    assert said == (
        "1 controlled copies of SOP-0001 v1 are not returned, destroyed or reported lost (CC-0001);"
        " QA may waive this."
    )
    waived = row("SOP-0001", revision=1, people={"waive_copies": ["qa"]})
    assert ask("copies_accounted_for", record=waived, children=copies) is None


@pytest.mark.parametrize("state", ["returned", "destroyed", "lost", "voided"])
def test_copies_accounted_for_keep_nobody_waiting(state: str) -> None:
    copies = {"copies": (row("CC-0001", state=state),)}
    assert ask("copies_accounted_for", record=row("SOP-0001", revision=1), children=copies) is None


def test_copies_are_counted_from_one_per_version() -> None:
    assert ask("next_copy_number", children={"copies": ()}) == 1
    copies = (row("CC-0001", {"copy_no": 1}), row("CC-0007", {"copy_no": 4}), row("CC-0002", {"copy_no": 2}))
    assert ask("next_copy_number", children={"copies": copies}) == 5


def test_a_review_looks_at_every_topic() -> None:
    topics = ("regulation_change", "deviations_and_capa", "training_issues", "system_change")
    checked = [{"topic": topic, "found": "Nothing."} for topic in topics]
    assert ask("topics_looked_at", {"checked": checked}) is None
    said = ask("topics_looked_at", {"checked": checked[:2]})
    assert said == "Every topic is looked at; missing: training issues, system change."


def test_a_later_edition_names_the_one_before_it_of_its_own_number() -> None:
    before, other = row("EXT-0001", revision=1), row("EXT-0002", revision=1)
    assert ask("edition_before_named", record=row("EXT-0001", revision=1), reads={"previous": ()}) is None
    assert (
        ask("edition_before_named", record=row("EXT-0001", revision=2), reads={"previous": (before,)}) is None
    )
    wanted = "The edition before this one is named."
    for named in ((), (other,), (row("EXT-0001", revision=2),)):
        said = ask("edition_before_named", record=row("EXT-0001", revision=2), reads={"previous": named})
        assert said == wanted


# --- forms -----------------------------------------------------------------------------------------


COLUMNS: list[dict[str, Any]] = [
    {"name": "ph", "label": "pH", "kind": "decimal", "needed": True, "low": "6.8", "high": "7.4"},
    {"name": "dishes", "label": "Dishes", "kind": "whole_number", "needed": True},
    {"name": "day", "label": "Day", "kind": "date", "needed": False},
    {"name": "clean", "label": "Clean", "kind": "yes_no", "needed": False},
    {"name": "dye", "label": "Dye", "kind": "choice", "needed": False, "choices": "DAPI\nHoechst"},
    {"name": "note", "label": "Note", "kind": "text", "needed": False},
]
FORM = {"template": (row("FRM-0001", {"columns": COLUMNS}, revision=1),)}


def test_a_form_compiles_with_names_of_their_own_choices_and_bounds_in_order() -> None:
    assert ask("form_compiles", {"columns": COLUMNS}) is None
    assert ask("form_compiles", {}) is None, "that there are fields is asked by the declaration"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "dishes"}, "Each field of the form has a name of its own (dishes is there twice)."),
        ({"kind": "choice", "choices": "one"}, "Field ph lists its choices, two or more, one per line."),
        ({"low": "7.5"}, "The bounds of field ph are in order."),
        ({"low": "10", "high": "9"}, "The bounds of field ph are in order."),
    ],
)
def test_a_form_that_cannot_be_filled_in_does_not_compile(change: dict[str, str], said: str) -> None:
    assert ask("form_compiles", {"columns": [COLUMNS[0] | change, *COLUMNS[1:]]}) == said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ph", "7.4"), ("ph", "6.80"), ("dishes", "12"), ("day", "2026-11-21"), ("clean", "no"),
        ("dye", "DAPI"), ("note", "Anything at all."),
    ],
)  # fmt: skip
def test_values_of_the_kind_a_form_asks_fit_it(name: str, value: str) -> None:
    assert ask("values_fit_template", {"values": [{"name": name, "value": value}]}, reads=FORM) is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ph", "7.41", "pH is within 6.8 and 7.4 (it is 7.41)."),
        ("ph", "seven", "pH is a decimal (it is seven)."),
        ("ph", "NaN", "pH is a decimal (it is NaN)."),
        ("dishes", "1.5", "Dishes is a whole number (it is 1.5)."),
        ("day", "21.11.2026", "Day is a date (it is 21.11.2026)."),
        ("clean", "maybe", "Clean is yes or no (it is maybe)."),
        ("dye", "Eosin", "Dye is one of DAPI, Hoechst (it is Eosin)."),
        ("smell", "fine", "smell is not a field of FRM-0001 v1."),
    ],
)
def test_values_that_a_form_does_not_ask_are_refused(name: str, value: str, said: str) -> None:
    assert ask("values_fit_template", {"values": [{"name": name, "value": value}]}, reads=FORM) == said


def test_a_field_is_filled_in_once_and_every_needed_one_is() -> None:
    ph, dishes = {"name": "ph", "value": "7"}, {"name": "dishes", "value": "1"}
    assert ask("values_fit_template", {"values": [ph, ph]}, reads=FORM) == "ph is given once."
    assert ask("form_filled_in", {"values": [ph, dishes]}, reads=FORM) is None
    assert ask("form_filled_in", {"values": [ph]}, reads=FORM) == "Still to be filled in: Dishes."


# --- training --------------------------------------------------------------------------------------


def test_the_third_failure_blocks_and_no_earlier_one_does() -> None:
    for failures in ({}, {"attempts": 0}, {"attempts": 1}):
        assert ask("attempts_left", failures) is None
        assert "blocked after 3 failures" in ask("attempts_used", failures)
    assert ask("attempts_left", {"attempts": 2}) == "This is failure 3: block the trainee until taught anew."
    assert ask("attempts_used", {"attempts": 2}) is None
    assert ask("one_more_attempt", {}) == 1
    assert ask("one_more_attempt", {"attempts": 2}) == 3


@pytest.mark.parametrize(("months", "day"), [(1, "2026-12-21"), (2, "2027-01-21"), (24, "2028-11-21")])
def test_training_to_be_refreshed_is_valid_for_its_months(months: int, day: str) -> None:
    assert ask("training_valid_until", {"refresh_months": months}) == day


def test_training_not_to_be_refreshed_has_no_last_day_and_a_day_given_stays() -> None:
    assert ask("training_valid_until", {}) is None
    assert ask("training_valid_until", {"refresh_months": 12, "expires": "2027-01-01"}) is None


def test_critical_documents_leave_no_grace() -> None:
    items = [{"document": {"number": "SOP-0001"}, "grace_days": 14}]
    critical = {"documents": (row("SOP-0001", {"criticality": "gxp_critical"}),)}
    plain = {"documents": (row("SOP-0001", {"criticality": "gxp"}),)}
    assert ask("no_grace_where_critical", {"items": items}, reads=plain) is None
    none = [{"document": {"number": "SOP-0001"}, "grace_days": 0}]
    assert ask("no_grace_where_critical", {"items": none}, reads=critical) is None
    said = ask("no_grace_where_critical", {"items": items}, reads=critical)
    assert said == "Critical documents leave no days of grace (SOP-0001)."


def test_a_curriculum_lists_a_document_once() -> None:
    one, two = {"document": {"number": "SOP-0001"}}, {"document": {"number": "WI-0001"}}
    assert ask("documents_listed_once", {"items": [one, two]}) is None
    said = ask("documents_listed_once", {"items": [one, two, one]})
    assert said == "Each document is listed once (SOP-0001 is there twice)."


# --- grants and delegation -------------------------------------------------------------------------


@pytest.mark.parametrize("span", [{"end": "2027-02-19"}, {"end": "2026-11-21"}, {}])
def test_an_inspectors_grant_of_ninety_days_passes(span: dict[str, str]) -> None:
    assert ask("inspector_grant_short", span) is None


@pytest.mark.parametrize(
    "span", [{"end": "2027-02-20"}, {"end": "2026-11-20"}, {"start": "2027-01-01", "end": "2027-04-02"}]
)
def test_an_inspectors_grant_that_is_longer_or_over_is_refused(span: dict[str, str]) -> None:
    assert "ends within 90 days and not in the past" in ask("inspector_grant_short", span)


@pytest.mark.parametrize("end", ["2026-11-21", "2027-02-18"])
def test_a_delegation_lasts_up_to_ninety_days(end: str) -> None:
    assert ask("delegation_span", {"start": "2026-11-21", "end": end}) is None


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (("2026-11-21", "2027-02-19"), "A delegation lasts 90 days at most (this is 91)."),
        (("2026-11-23", "2026-11-22"), "The last day is on or after the first, and not past."),
        (("2026-11-01", "2026-11-20"), "The last day is on or after the first, and not past."),
    ],
)
def test_a_delegation_too_long_or_over_is_refused(span: tuple[str, str], said: str) -> None:
    assert ask("delegation_span", {"start": span[0], "end": span[1]}) == said


def test_a_delegation_is_over_the_day_after_its_last() -> None:
    assert ask("delegation_over", {"end": "2026-11-20"}) is None
    assert ask("delegation_over", {"end": "2026-11-21"}) == "The delegation runs until 2026-11-21."


def test_nobody_delegates_to_themselves() -> None:
    assert ask("another_person", {"giver": person("ann"), "taker": person("bob")}) is None
    said = ask("another_person", {"giver": person("ann"), "taker": person("ann")})
    assert said == "A duty is delegated to another person."


ROLE_REV = {"role": (row("ROLE-REV", {"code": "REV"}),)}


def test_only_what_is_held_now_is_delegated() -> None:
    held = {"grants": (grant("ann", "OPR"), grant("ann", "REV"))}
    assert ask("giver_holds_role", reads=ROLE_REV, children=held) is None
    for lost in ((), (grant("ann", "REV", "revoked"),), (grant("ann", "REV", end="2026-11-20"),)):
        said = ask("giver_holds_role", reads=ROLE_REV, children={"grants": lost})
        assert said == "Who delegates holds the role REV."


def test_an_administrator_takes_no_operating_duty() -> None:
    said = ask("taker_unconflicted", reads=ROLE_REV, children={"grants": (grant("bob", "ADM"),)})
    assert said == "Administrator cannot also hold REV (segregation of duties)."
    assert ask("taker_unconflicted", reads=ROLE_REV, children={"grants": (grant("bob", "ANL"),)}) is None
    training_admin = {"role": (row("ROLE-TRN", {"code": "TRN"}),)}
    assert (
        ask("taker_unconflicted", reads=training_admin, children={"grants": (grant("bob", "ADM"),)}) is None
    )


def test_who_takes_a_duty_is_trained_on_what_role_and_curriculum_require() -> None:
    role = {"role": (row("ROLE-REV", {"code": "REV", "documents": [{"number": "SOP-0001"}]}),)}
    items = [{"document": {"number": "WI-0001"}}]
    curricula = (
        row("CUR-0001", {"items": items}, state="effective"),
        row("CUR-0002", {"items": [{"document": {"number": "SOP-0099"}}]}, state="superseded"),
    )
    done = (training("bob"), training("bob", "exempted", "WI-0001"))
    assert ask("taker_trained", reads=role, children={"curricula": curricula, "training": done}) is None
    late = (training("bob", "superseded"), training("bob", "completed", "WI-0001"))
    said = ask("taker_trained", reads=role, children={"curricula": curricula, "training": late})
    assert said == "Who takes the duty is trained for it; missing: SOP-0001."


# --- lists -----------------------------------------------------------------------------------------


def entry(value: str, meaning: str = "As said.", *, retired: bool = False) -> dict[str, Any]:
    return {"value": value, "meaning": meaning, "retired": retired}


BEFORE = {
    "previous": (row("VOC-DEFECT", {"entries": [entry("blur"), entry("fog", retired=True)]}, revision=1),)
}


@pytest.mark.parametrize(
    "entries",
    [
        [entry("blur"), entry("fog", retired=True), entry("tilt")],
        [entry("blur", retired=True), entry("fog", retired=True)],
    ],
)
def test_a_list_grows_and_retires(entries: list[dict[str, Any]]) -> None:
    record = row("VOC-DEFECT", revision=2)
    assert ask("entries_only_grow", {"entries": entries}, record=record, reads=BEFORE) is None


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([entry("fog", retired=True)], "'blur' is retired, not removed."),
        (
            [entry("blur", "No."), entry("fog", retired=True)],
            "The meaning of 'blur' stays as it is; add another value.",
        ),
        ([entry("blur"), entry("fog")], "'fog' was retired and stays so; add another value."),
    ],
)  # fmt: skip
def test_a_list_never_forgets_changes_or_takes_back(entries: list[dict[str, Any]], said: str) -> None:
    record = row("VOC-DEFECT", revision=2)
    assert ask("entries_only_grow", {"entries": entries}, record=record, reads=BEFORE) == said


def test_a_later_version_names_the_one_before_it_of_its_own_list() -> None:
    fields = {"entries": [entry("blur"), entry("fog", retired=True)]}
    wanted = "The version before this one is named."
    assert ask("entries_only_grow", fields, record=row("VOC-OTHER", revision=2), reads=BEFORE) == wanted
    assert (
        ask("entries_only_grow", fields, record=row("VOC-DEFECT", revision=2), reads={"previous": ()})
        == wanted
    )
    assert (
        ask("entries_only_grow", fields, record=row("VOC-DEFECT", revision=1), reads={"previous": ()}) is None
    )


def test_a_list_has_each_value_once() -> None:
    assert ask("values_listed_once", {"entries": [entry("blur"), entry("tilt")]}) is None
    said = ask("values_listed_once", {"entries": [entry("blur"), entry("Blur")]})
    assert said == "Each value is listed once (blur is there twice)."


def test_a_meaning_that_record_types_sign_with_is_not_retired() -> None:
    everything = [entry(meaning) for meaning in sorted(_signed_with())]
    assert {"authored", "approved", "acknowledged"} <= {e["value"] for e in everything}
    fields = {"code": SIGNATURE_MEANINGS, "entries": everything}
    assert ask("meanings_in_use_stay", fields) is None
    retired = [e | {"retired": e["value"] == "approved"} for e in everything]
    assert ask("meanings_in_use_stay", fields | {"entries": retired}) == (
        "Record types sign with approved; these are listed and not retired."
    )
    assert ask("meanings_in_use_stay", {"code": "DEFECT", "entries": retired}) is None
