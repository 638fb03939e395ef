"""Every named rule, both ways: what it lets pass and the sentence with which it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coverslip.kernel.definition import named_rules
from coverslip.kernel.rows import Row
from coverslip.records import all_types
from fix_rules import ANN, BOB, NOW, Rows, ask, link, row

# --- organisation ----------------------------------------------------------------------------------


FDA = {
    "name": "Boston",
    "regulated_as": [{"authority": "eu", "predicate": "drug"}, {"authority": "fda", "predicate": "drug"}],
}


@pytest.mark.parametrize("state", ["sent", "acknowledged_on_file"])
def test_a_site_under_fda_is_certified_once_its_letter_is_sent(state: str) -> None:
    assert ask("fda_certified", FDA, children={"letters": (row("CERT-01", state=state),)}) is None


@pytest.mark.parametrize(
    "letters", [(), (row("CERT-01", state="draft"),), (row("CERT-01", state="signed_on_paper"),)]
)
def test_a_site_under_fda_without_a_sent_letter_is_refused(letters: Rows) -> None:
    said = ask("fda_certified", FDA, children={"letters": letters})
    assert said == (
        "No 11.100(c) certification is recorded for Boston; electronic signatures are not yet in use here."
    )


def test_a_site_outside_fda_needs_no_letter() -> None:
    fields = {"regulated_as": [{"authority": "eu", "predicate": "drug"}]}
    assert ask("fda_certified", fields, children={"letters": ()}) is None


KEY = {"kid": "a" * 16, "scheme": "ed25519-wrapped", "public": "b" * 64, "enrolled_at": NOW}
KEY_2 = KEY | {"kid": "c" * 16}


@pytest.mark.parametrize("before", [[], [KEY]])
def test_an_enrolment_adds_one_key_after_those_listed(before: list[dict[str, str]]) -> None:
    record = row("USR-0001", {"signing_keys": before})
    assert ask("keys_kept", {"signing_keys": [*before, KEY_2]}, record=record) is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([KEY], [KEY_2], "stay listed"),
        ([KEY], [KEY | {"public": "d" * 64}, KEY_2], "stay listed"),
        ([KEY], [KEY], "exactly one"),
        ([], [], "exactly one"),
        ([], [KEY, KEY_2], "exactly one"),
        ([KEY], [KEY, KEY], "already listed"),
    ],
)
def test_an_enrolment_that_drops_changes_repeats_or_omits_keys_is_refused(
    before: Any, after: Any, said: str
) -> None:
    assert said in ask("keys_kept", {"signing_keys": after}, record=row("USR-0001", {"signing_keys": before}))


def test_an_edit_of_a_user_may_change_the_name_but_not_keys_or_identity_check() -> None:
    record = row("USR-0001", {"printed_name": "A", "signing_keys": [KEY]})
    assert ask("identity_untouched", {"printed_name": "B", "signing_keys": [KEY]}, record=record) is None
    for fields in (
        {"signing_keys": [KEY_2]},
        {},
        {"signing_keys": [KEY], "identity_check": [{"on": "2026-01-01"}]},
    ):
        assert "only by enrolment" in ask("identity_untouched", fields, record=record)


def test_an_identity_check_counts_only_when_it_came_after_the_newest_key() -> None:
    first, second = (
        KEY | {"enrolled_at": "2026-01-10T00:00:00Z"},
        KEY_2 | {"enrolled_at": "2026-03-02T00:00:00Z"},
    )
    for on, holds in (("2026-03-02", True), ("2026-03-01", True), ("2026-02-28", False)):
        fields = {"signing_keys": [first, second], "identity_check": [{"on": on}]}
        assert (ask("checked_anew", fields) is None) == holds, on
    assert "checked again" in ask("checked_anew", {"signing_keys": [first]})


def test_decisions_are_entered_by_who_decided_and_never_about_oneself() -> None:
    mine = {
        "user": link("bob", "USR-2"),
        "decided_by": link(ANN, "USR-1"),
        "decision": "keep",
        "reason": "x" * 10,
    }
    own = mine | {"user": link(ANN, "USR-1")}
    others = mine | {"decided_by": link("cid", "USR-3")}
    assert ask("decides_for_others", {"decisions": [mine]}) is None
    assert "own account" in ask("decides_for_others", {"decisions": [mine, own]})
    assert "their own decisions" in ask("decides_for_others", {"decisions": [others]})
    before = row("ACR-1", {"decisions": [others]})
    assert ask("decides_for_others", {"decisions": [others, mine]}, record=before) is None
    assert "their own decisions" in ask("decides_for_others", {"decisions": [mine]}, record=before)


def test_every_account_of_the_snapshot_has_one_decision() -> None:
    accounts = [
        {"user": link("a", "USR-1"), "username": "ann"},
        {"user": link("b", "USR-2"), "username": "bob"},
    ]
    one, two, third = ({"user": link(uid, f"USR-{uid}")} for uid in "abc")
    asked = lambda *rows: ask("every_account_decided", {"accounts": accounts, "decisions": list(rows)})  # noqa: E731
    assert asked(one, two) is None
    assert "bob" in asked(one)
    assert "One decision" in asked(one, two, two)
    assert "One decision" in asked(one, two, third)


def test_a_review_closes_only_when_what_is_to_be_revoked_is_revoked() -> None:
    user, grant_ = link("u", "USR-2"), link("g", "GRT-9")
    fields = {
        "decisions": [
            {"user": user, "decision": "revoke"},
            {"user": user, "grant": grant_, "decision": "revoke"},
        ]
    }
    ended = {
        "users": (row("USR-2", state="disabled", uid="u"),),
        "grants": (row("GRT-9", state="revoked", uid="g"),),
    }
    going = {
        "users": (row("USR-2", state="active", uid="u"),),
        "grants": (row("GRT-9", state="active", uid="g"),),
    }
    assert ask("revocations_done", fields, reads=ended) is None
    assert "GRT-9, USR-2" in ask("revocations_done", fields, reads=going)
    kept = {"decisions": [{"user": user, "decision": "keep"}]}
    assert ask("revocations_done", kept, reads=going) is None
    one = {"decisions": [{"user": user, "grant": grant_, "decision": "revoke"}]}
    for holder, said in (("u", None), ("somebody", "Still to be revoked: GRT-9.")):
        theirs = row("GRT-9", {"person": link(holder)}, state="revoked", uid="g")
        assert ask("revocations_done", one, reads={"users": going["users"], "grants": (theirs,)}) == said


@pytest.mark.parametrize(
    ("holder", "state", "created", "changed", "said"),
    [
        ("u", "active", "2026-01-01", "2026-01-02", None),
        ("u", "revoked", "2026-01-01", "2026-11-01", None),
        ("somebody", "active", "2026-01-01", "2026-01-02", "GRT-9 is not a grant of USR-2."),
        ("u", "revoked", "2026-01-01", "2026-01-02", "not in force"),
        ("u", "expired", "2026-01-01", "2026-01-02", "not in force"),
        ("u", "requested", "2026-01-01", "2026-01-02", "not in force"),
        ("u", "active", "2026-01-01", "2026-11-01", "not in force"),
        ("u", "revoked", "2026-11-01", "2026-11-02", "not in force"),
    ],
)
def test_a_decision_names_a_grant_its_account_held_as_of_the_snapshot(
    holder: str, state: str, created: str, changed: str, said: str | None
) -> None:
    found = row("GRT-9", {"person": link(holder)}, state=state, uid="g")
    found = replace(found, created_at=created, changed_at=changed)
    decisions = [{"user": link("u", "USR-2"), "grant": link("g", "GRT-9"), "decision": "revoke"}]
    fields = {"as_of": "2026-10-01", "decisions": decisions}
    answer = ask("grants_are_of_their_accounts", fields, reads={"grants": (found,)})
    assert answer is None if said is None else said in answer
    assert "not a grant" in ask("grants_are_of_their_accounts", fields, reads={"grants": ()})


def test_a_restore_test_with_a_difference_is_not_accepted() -> None:
    assert ask("restored_equals_live", {"result": "holds"}) is None
    said = ask("restored_equals_live", {"result": "differs", "differences": ["index 7, record STU-0001"]})
    assert said == "Restored audit trail differs from live: index 7, record STU-0001"
    assert "could not be determined" in ask("restored_equals_live", {})


def grant(code: str, *, state: str = "active", end: str = "", uid: str = "") -> Row:
    return row(
        f"GRT-{code}",
        {"role": link("r", f"ROLE-{code}")} | ({"end": end} if end else {}),
        state=state,
        uid=uid,
    )


def conflict(wanted: str, *held: Row, record: Row | None = None) -> Any:
    reads = {"role": (row(f"ROLE-{wanted}", {"code": wanted}),)}
    own = ask("no_role_conflict", record=record, reads=reads, children={"grants": held, "lent": ()})
    lent = ask("no_role_conflict", record=record, reads=reads, children={"grants": (), "lent": held})
    assert lent == own, "what is lent counts as what is held"
    return own


@pytest.mark.parametrize("code", ["OPR", "ANL", "REV", "QA"])
def test_an_administrator_never_holds_an_operating_role_in_either_order(code: str) -> None:
    said = f"Administrator cannot also hold {code} (segregation of duties)."
    assert conflict("ADM", grant(code)) == said
    assert conflict(code, grant("ADM")) == said


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        ("ADM", (grant("TRN"), grant("SEC"))),
        ("QA", (grant("AUT"), grant("ANL"))),
        ("SEC", (grant("ADM"),)),
        ("ADM", (grant("QA", state="revoked"), grant("REV", state="requested"))),
        ("ADM", (grant("QA", end="2026-11-20"),)),
        ("ADM", ()),
    ],
)
def test_roles_that_do_not_clash_now_are_granted(wanted: str, held: Rows) -> None:
    assert conflict(wanted, *held) is None


def test_a_grant_ending_today_still_clashes_and_a_grant_is_not_compared_with_itself() -> None:
    assert conflict("ADM", grant("QA", end="2026-11-21")) is not None
    own = grant("QA", uid="own")
    assert conflict("ADM", own, record=own) is None


def test_a_role_is_requested_by_somebody_else() -> None:
    assert ask("not_for_oneself", {"person": link(BOB)}, actor=ANN) is None
    assert ask("not_for_oneself", {"person": link(ANN)}, actor=ANN) is not None


@pytest.mark.parametrize(("name", "field"), [("end_reached", "end"), ("training_expired", "expires")])
def test_something_expires_only_after_its_last_day(name: str, field: str) -> None:
    assert ask(name, {field: "2026-11-20"}) is None
    assert "2026-11-21" in ask(name, {field: "2026-11-21"})
    assert ask(name, {}) is not None


# --- documents -------------------------------------------------------------------------------------


def test_a_version_comes_into_force_on_its_date_and_not_before() -> None:
    assert ask("effective_date_reached", {"effective_date": "2026-11-21"}) is None
    assert "2026-11-22" in ask("effective_date_reached", {"effective_date": "2026-11-22"})
    assert ask("effective_date_reached", {}) is not None


def held_by(person: str, *, state: str = "active", start: str = "2026-01-01", end: str = "2027-01-01") -> Row:
    return row(f"GRT-{person}", {"person": link(person), "start": start, "end": end}, state=state)


def trained(person: str, state: str = "completed") -> Row:
    return row(f"TRN-{person}", {"person": link(person)}, state=state)


def audience(
    holders: Rows, done: Rows, *, criticality: str = "gxp", depth: str = "assessed", waived: bool = False
) -> Any:
    record = row("SOP-0012", revision=3, people={"signed_waived": [BOB]} if waived else {})
    fields = {"training_depth": depth, "criticality": criticality}
    return ask("audience_trained", fields, record=record, children={"grants": holders, "training": done})


FIVE = tuple(held_by(p) for p in "abcde")


def test_four_of_five_suffice_except_for_a_critical_document() -> None:
    done = tuple(trained(p) for p in "abcd")
    assert audience(FIVE, done) is None
    assert audience(FIVE, done, criticality="gxp_critical") == (
        "4 of 5 in the audience are trained on SOP-0012 v3; 100 % are needed, or a QA waiver."
    )
    assert audience(FIVE, (*done, trained("e")), criticality="gxp_critical") is None


def test_training_not_completed_or_of_outsiders_does_not_count() -> None:
    done = (*(trained(p) for p in "abc"), trained("d", "acknowledged"), trained("z"))
    assert "3 of 5" in audience(FIVE, done)


def test_a_waiver_no_training_or_nobody_in_the_audience_lets_it_pass() -> None:
    assert audience(FIVE, (), waived=True) is None
    assert audience(FIVE, (), depth="none") is None
    gone = (held_by("a", state="revoked"), held_by("b", end="2026-11-20"), held_by("c", start="2026-12-01"))
    assert audience(gone, ()) is None
    assert audience((), ()) is None
    assert audience((held_by("a"),), ()) is not None


def test_everybody_acknowledges_only_for_themselves() -> None:
    assert ask("own_acknowledgement", {"person": link(ANN)}, actor=ANN) is None
    assert (
        ask("own_acknowledgement", {"person": link(BOB)}, actor=ANN)
        == "You can only acknowledge for yourself."
    )
    assert ask("own_acknowledgement", {}, actor=ANN) is not None


# --- instruments -----------------------------------------------------------------------------------


def calibration(day: str, due: str, state: str = "accepted", of: str = "i1") -> Row:
    fields = {"instrument": link(of), "performed_on": day, "next_due": due}
    return row(f"CAL-{day}", fields, state=state)


def in_calibration(*rows: Row) -> Any:
    reads = {"instrument": (row("INS-0019", uid="i1"),)}
    return ask("calibrated", reads=reads, children={"calibrations": rows})


def test_an_instrument_is_calibrated_up_to_and_including_the_day_it_is_due() -> None:
    assert in_calibration(calibration("2026-01-01", "2026-11-21")) is None
    assert (
        in_calibration(calibration("2026-01-01", "2026-11-20")) == "INS-0019 calibration expired 2026-11-20."
    )


def test_the_latest_accepted_calibration_counts_and_a_later_failure_undoes_it() -> None:
    old, new = calibration("2025-01-01", "2026-01-01"), calibration("2026-01-01", "2027-01-01")
    assert in_calibration(old, new) is None
    failed = calibration("2026-06-01", "2027-06-01", "failed")
    assert in_calibration(old, new, failed) == "INS-0019 failed its calibration on 2026-06-01."
    assert in_calibration(new, calibration("2025-06-01", "2026-06-01", "failed")) is None


def test_a_calibration_not_accepted_or_of_another_instrument_does_not_count() -> None:
    said = "INS-0019 has no accepted calibration."
    assert in_calibration() == said
    assert in_calibration(calibration("2026-01-01", "2027-01-01", "performed")) == said
    assert in_calibration(calibration("2026-01-01", "2027-01-01", of="i2")) == said


def point(reading: str, limit: str = "0.10") -> dict[str, str]:
    return {"point": "10x", "nominal": "1.00", "reading": reading, "limit": limit, "unit": "um"}


def test_points_on_the_limit_pass_and_beyond_it_are_refused() -> None:
    assert ask("left_within_limits", {"as_found": [point("1.10"), point("0.90")]}) is None
    assert "error 0.11 um exceeds 0.10" in ask("left_within_limits", {"as_found": [point("1.11")]})


def test_after_adjustment_the_values_as_left_count() -> None:
    bad, good = [point("1.30")], [point("1.01")]
    assert ask("left_within_limits", {"as_found": bad, "adjusted": True, "as_left": good}) is None
    assert ask("left_within_limits", {"as_found": good, "adjusted": True, "as_left": bad}) is not None
    assert "as left" in ask("left_within_limits", {"as_found": good, "adjusted": True})


@pytest.mark.parametrize(
    ("day", "due", "months", "fits"),
    [
        ("2026-08-31", "2027-02-28", 6, True),
        ("2026-08-31", "2027-03-01", 6, False),
        ("2025-12-15", "2026-12-15", 12, True),
        ("2025-12-15", "2026-12-16", 12, False),
        ("2026-11-21", "2026-11-21", 12, False),
        ("2026-11-22", "2027-11-22", 12, False),
    ],
)
def test_the_next_date_lies_within_the_interval_and_the_event_in_the_past(
    day: str, due: str, months: int, fits: bool
) -> None:
    reads = {"instrument": (row("INS-0019", {"interval_months": months}),)}
    said = ask("next_due_in_interval", {"performed_on": day, "next_due": due}, reads=reads)
    assert (said is None) is fits


# --- acquisition and images ------------------------------------------------------------------------


def test_a_failed_daily_check_is_named() -> None:
    checks = [{"check": "stage", "result": "pass"}]
    assert ask("daily_checks_pass", {"checks": checks}) is None
    assert ask("daily_checks_pass", {}) is None
    assert "focus" in ask("daily_checks_pass", {"checks": [*checks, {"check": "focus", "result": "fail"}]})


@pytest.mark.parametrize(
    ("offset", "fits"), [(0, True), (4999, True), (-4999, True), (5000, False), (-5000, False)]
)
def test_a_device_clock_five_seconds_off_is_refused_both_ways(offset: int, fits: bool) -> None:
    assert (ask("device_clock_close", {"device_clock_offset_ms": offset}) is None) is fits
    assert ask("device_clock_close", {}) is None


def test_an_image_unchecked_or_failing_is_refused_with_what_was_found() -> None:
    good = {"check": "hash", "verdict": "pass", "sentence": "Hash equals."}
    warned = {"check": "time", "verdict": "warn", "sentence": "Clock is 3 s off."}
    bad = {"check": "serial", "verdict": "fail", "sentence": "The file says serial A."}
    assert ask("image_checks_pass", {"checks": [good, warned]}) is None
    assert ask("image_checks_pass", {"checks": [good, bad]}) == "The file says serial A."
    assert ask("image_checks_pass", {"checks": []}) is not None
    assert ask("image_checks_pass", {}) is not None


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"pixel_size_x_um": "0.325", "pixel_size_y_um": "0.325"}, True),
        ({"pixel_size_x_um": "50", "pixel_size_y_um": "50"}, True),
        ({"uncalibrated": True}, True),
        ({"pixel_size_x_um": "0.325"}, False),
        ({"pixel_size_x_um": "0.0", "pixel_size_y_um": "0.0"}, False),
        ({"pixel_size_x_um": "352.78", "pixel_size_y_um": "352.78"}, False),
        ({"uncalibrated": False}, False),
        ({}, False),
    ],
)
def test_a_pixel_size_is_plausible_or_the_image_says_uncalibrated(fields: dict[str, Any], fits: bool) -> None:
    assert (ask("pixel_size_stated", fields) is None) is fits


def member(uid: str, study: str = "s1") -> Row:
    return row(f"IMG-{uid}", {"study": link(study)}, uid=uid)


def test_a_set_holds_each_image_once_and_only_of_its_study() -> None:
    both = [link("a"), link("b")]
    fields = {"study": link("s1"), "members": both}
    assert ask("members_belong", fields, reads={"members": (member("a"), member("b"))}) is None
    assert "IMG-b" in ask("members_belong", fields, reads={"members": (member("a"), member("b", "s2"))})
    twice = fields | {"members": [*both, link("a")]}
    assert "once" in ask("members_belong", twice, reads={"members": (member("a"), member("b"))})
    assert ask("members_belong", {"study": link("s1")}, reads={"members": ()}) is None


# --- masters ---------------------------------------------------------------------------------------


def value(text: str, **more: str) -> dict[str, str]:
    return {"name": "sigma", "value": text, "unit": "px"} | more


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (value("2.0", allowed_lo="1", allowed_hi="2"), None),
        (value("otsu"), None),
        (value("3", allowed_lo="1"), None),
        (value("2.1", allowed_lo="1", allowed_hi="2"), "sigma: 2.1 is outside 1–2 px."),
        (value("0.9", allowed_lo="1"), "sigma: 0.9 is outside 1–… px."),
        (value("otsu", allowed_hi="2"), "sigma: otsu is not a number, but has a range."),
        (value("NaN", allowed_hi="2"), "sigma: NaN is not a number, but has a range."),
        (value("Infinity", allowed_lo="1"), "sigma: Infinity is not a number, but has a range."),
    ],
)
def test_a_parameter_lies_within_its_range_or_is_named(item: dict[str, str], said: str | None) -> None:
    assert ask("values_in_range", {"values": [item]}) == said


def test_a_parameter_given_twice_is_refused() -> None:
    assert "sigma" in ask("values_in_range", {"values": [value("1"), value("2")]})


def test_parameters_belong_to_the_algorithm_version_named() -> None:
    reads = {"parameters": (row("PAR-0031", {"algorithm": link("alg1")}, revision=2),)}
    assert ask("method_consistent", {"algorithm": link("alg1")}, reads=reads) is None
    assert "PAR-0031 v2" in ask("method_consistent", {"algorithm": link("alg2")}, reads=reads)


def test_limits_are_in_order() -> None:
    good = {"quantity_name": "count", "limit_lo": "9", "limit_hi": "10"}
    assert ask("limits_ordered", {"outputs": [good, {"quantity_name": "area"}]}) is None
    assert "count" in ask("limits_ordered", {"outputs": [good | {"limit_lo": "11"}]})


# --- runs ------------------------------------------------------------------------------------------


def run(n: int, state: str = "queued", method: str = "MTH-0014") -> Row:
    return row(f"RUN-2027-{n:05}", {"method": link(f"m-{method}", method)}, state=state)


def permitted(own: Row, *others: Row, allowed: int = 1) -> Any:
    reads = {
        "method": (row("MTH-0014", {"permitted_runs": allowed}, revision=3),),
        "image_set": (row("SET-0220"),),
        "request": (),
        "original": (),
        "oos": (),
    }
    return ask("run_permitted", own.fields, record=own, reads=reads, children={"runs": (own, *others)})


@pytest.mark.parametrize("state", ["running", "completed", "failed", "aborted", "rejected", "accepted"])
def test_every_earlier_run_counts_whatever_became_of_it(state: str) -> None:
    assert permitted(run(2), run(1, state)) == (
        "MTH-0014 v3 allows 1 run on SET-0220. Request reprocessing with a reason."
    )


def test_a_run_within_the_number_permitted_or_by_another_method_starts() -> None:
    assert permitted(run(1)) is None
    assert permitted(run(2), run(1, "failed"), allowed=2) is None
    assert permitted(run(2), run(1, "accepted", "MTH-0099")) is None


def test_of_two_runs_waiting_exactly_one_starts() -> None:
    first, second = run(1), run(2)
    assert permitted(first, second) is None
    assert permitted(second, first) is not None


def test_a_run_is_numbered_after_the_others_on_its_set() -> None:
    own = run(3)
    assert ask("run_index_on_set", record=None, children={"runs": ()}) == 1
    assert ask("run_index_on_set", record=own, children={"runs": (run(1), run(2), own)}) == 3


def test_a_run_uses_a_set_of_its_own_study() -> None:
    reads = {"image_set": (row("SET-0220", {"study": link("s1")}),)}
    assert ask("set_of_study", {"study": link("s1")}, reads=reads) is None
    assert "SET-0220" in ask("set_of_study", {"study": link("s2")}, reads=reads)


def test_a_failed_control_is_named() -> None:
    assert ask("suitability_passed", {"suitability": [{"control": "blank", "pass": True}]}) is None
    assert ask("suitability_passed", {}) is None
    assert "blank" in ask("suitability_passed", {"suitability": [{"control": "blank", "pass": False}]})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, None),
        ({"method": link("m2")}, "RUN-1"),
        ({"algorithm": link("a2")}, "algorithm"),
        ({"parameters": link("p2")}, "parameters"),
    ],
)
def test_results_name_what_their_run_used(changed: dict[str, Any], said: str | None) -> None:
    used = {"algorithm": link("a"), "parameters": link("p")}
    fields = {"method": link("m"), **used} | changed
    reads = {"run": (row("RUN-1", {"method": link("m")}),), "method": (row("MTH-1", used, uid="m"),)}
    found = ask("results_match_run", fields, reads=reads)
    assert found is None if said is None else said in found


# --- review and release ----------------------------------------------------------------------------


def exception(key: str, severity: str) -> dict[str, str]:
    return {"key": key, "severity": severity, "sentence": f"Something about {key}."}


def test_warnings_and_critical_exceptions_are_answered_and_notes_need_none() -> None:
    gathered = {
        "items": [exception("a", "critical"), exception("b", "warn"), exception("c", "info")],
        "size": 9,
    }
    answers = [{"exception": "a", "answer": "…"}, {"exception": "b", "answer": "…"}]
    assert ask("exceptions_answered", {"exceptions": gathered, "answers": answers}) is None
    said = ask("exceptions_answered", {"exceptions": gathered, "answers": answers[:1]})
    assert "Something about b." in said and "about a" not in said
    assert ask("exceptions_answered", {"exceptions": {"items": []}}) is None


def test_exceptions_never_gathered_are_not_taken_for_none() -> None:
    assert ask("exceptions_answered", {}) is not None


def test_a_long_list_of_open_exceptions_says_how_many_more() -> None:
    gathered = {"items": [exception(str(i), "warn") for i in range(8)]}
    assert "3 more" in ask("exceptions_answered", {"exceptions": gathered})


def test_a_subject_that_moved_on_since_submission_is_refused() -> None:
    fields = {"subject": link("r") | {"version": 4}}
    assert ask("scope_unchanged", fields, reads={"subject": (row("RUN-1", version=4),)}) is None
    assert ask("scope_unchanged", fields, reads={"subject": (row("RUN-1", version=7),)}) == (
        "RUN-1: 3 new entries since you began; they are listed first."
    )
    assert "1 new entry " in ask("scope_unchanged", fields, reads={"subject": (row("RUN-1", version=5),)})


def openings(**more: Any) -> dict[str, Any]:
    """Return what was gathered of a case with two items to open, both opened by Ann, and a trail she read."""
    found = {
        "tree_size": 9,
        "needed": [{"key": "RUN-1", "says": "RUN-1 Count"}, {"key": "e1", "says": "RUN-1: changed"}],
        "openings": [{"key": k, "person": ANN, "at": NOW, "entry": "x"} for k in ("RUN-1", "e1")],
        "entries": 12,
        "trail": [{"person": ANN, "entries": 12, "pages": 1, "of": 1}],
        "arrived": [],
    } | more
    return {"openings": found, "exceptions": {"items": [], "heads": [{"uid": "r"}]}}


def test_what_must_be_opened_counts_only_where_the_signer_opened_it() -> None:
    assert ask("items_opened", openings()) is None
    said = ask("items_opened", openings(), actor=BOB)
    assert "not opened: RUN-1 Count; RUN-1: changed" in said
    half = openings(openings=[{"key": "RUN-1", "person": ANN, "at": NOW, "entry": "x"}])
    assert "not opened: RUN-1: changed" in ask("items_opened", half)
    many = openings(needed=[{"key": str(i), "says": str(i)} for i in range(8)])
    assert "and 3 more" in ask("items_opened", many)
    assert ask("items_opened", openings(needed=[])) is None


def test_openings_never_gathered_are_not_taken_for_nothing_to_open() -> None:
    for name in ("items_opened", "nothing_arrived", "trail_opened"):
        assert ask(name, {}) is not None
        assert ask(name, {"openings": {"tree_size": 9}}) is not None


def test_what_arrived_since_the_exceptions_were_gathered_makes_the_signing_stale() -> None:
    assert ask("nothing_arrived", openings()) is None
    came = [{"record": "RUN-1", "new": 2}, {"record": "DEV-1", "new": 1}]
    said = ask("nothing_arrived", openings(arrived=came))
    assert said == "3 new entries since you began; they are listed first: RUN-1 (2), DEV-1 (1)."
    held = ask("nothing_arrived", openings(arrived=[{"record": "IMG-1", "new": 0}]))
    assert "IMG-1 (a hold)" in held
    before = openings() | {"exceptions": {"items": []}}
    assert "look again" in ask("nothing_arrived", before)


def test_quality_reads_every_page_of_the_trail_and_nothing_came_after() -> None:
    assert ask("trail_opened", openings()) is None
    assert "opened by you" in ask("trail_opened", openings(), actor=BOB)
    half = openings(trail=[{"person": ANN, "entries": 12, "pages": 1, "of": 2}])
    assert "1 of 2" in ask("trail_opened", half)
    said = ask("trail_opened", openings(entries=13))
    assert said == "1 new entry since you opened it; they are listed first: Audit trail (1)."


def test_a_release_rests_on_the_review_of_its_own_subject() -> None:
    reads = {"review": (row("RVC-1", {"subject": link("r1")}),)}
    assert ask("review_of_subject", {"subject": link("r1")}, reads=reads) is None
    assert "RVC-1" in ask("review_of_subject", {"subject": link("r2")}, reads=reads)


def test_a_title_is_joined_in_declared_order_from_titles_or_numbers() -> None:
    reads = {"r1_role": (row("ROLE-QA", title="Quality"),), "r0_person": (row("USR-0001"),)}
    assert ask("joined_title", reads=reads) == "USR-0001 · Quality"
    assert len(ask("joined_title", reads={"r0_a": (row("A", title="x" * 400),)})) == 300


def test_every_named_rule_of_the_shipped_types_is_asked_in_a_test_of_rules() -> None:
    modules = Path(__file__).parent.glob("test_*rules.py")
    asked = {word for module in modules for word in module.read_text(encoding="utf-8").split('"')}
    used = {r.name for t in all_types() for r in named_rules(t)}
    assert used - asked == set()
