"""Two people at once, in two real transactions that meet between deciding and writing, in both orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coverslip.errors import CoverslipError
from coverslip.kernel.change import Change, Receipt
from fix_lab import LATER, SHOWN, TODAY, Lab, Person
from fix_together import Meeting, together

ORDERS = [("first", "second"), ("second", "first")]
orders = pytest.mark.parametrize("order", ORDERS, ids="-then-".join)


@pytest.fixture(autouse=True)
def _nothing_is_half_written(lab: Lab) -> Iterator[None]:
    yield
    assert lab.replay() == []


def outcome(results: dict[str, Any], name: str) -> str:
    """Return the code an act was refused with, or ``done``."""
    found = results[name]
    if isinstance(found, CoverslipError):
        return found.code
    assert isinstance(found, Receipt | str), found
    return "done"


@orders
def test_of_two_edits_of_one_version_the_second_is_stale(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    sop = lab.new_sop()
    editors = {"first": lab.aurel, "second": lab.rex}
    meeting = Meeting(lab, monkeypatch, order)

    def edit(name: str) -> Callable[[], Receipt]:
        return lambda: editors[name].do(
            sop, "edit", version=1, why="Made it clearer for readers.", title=name
        )

    results = meeting.run(first=edit("first"), second=edit("second"))
    winner, loser = order
    assert outcome(results, winner) == "done"
    assert outcome(results, loser) == "SIG_STALE"
    row = lab.row(sop)
    assert (row.version, row.fields["title"]) == (2, winner)
    assert row.people["edit"] == [editors[winner].uid]
    assert [d["code"] for d in lab.refusals(sop)] == ["SIG_STALE"]
    assert [e["version"] for e in lab.history(sop) if not e["about"]] == [1, 2]


@orders
def test_of_two_runs_on_one_set_the_method_permits_one(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    chosen = lab.new_set()
    meeting = Meeting(lab, monkeypatch, order)
    results = meeting.run(
        first=lambda: lab.new_run(lab.alan, image_set=chosen),
        second=lambda: lab.new_run(lab.olga, image_set=chosen),
    )
    winner, loser = order
    assert outcome(results, winner) == "done"
    assert outcome(results, loser) == "SEQ_PRE"
    assert "allows 1 run(s)" in results[loser].message
    runs = [r for r in lab.reading.linked(lab.row(chosen).uid) if r.type == "analysis_run"]
    assert [r.number for r in runs] == [results[winner]]
    assert runs[0].fields["run_index"] == 1


@orders
def test_a_hold_and_a_release_do_not_both_win_when_the_hold_came_first(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    run, decision = lab.new_release()
    meeting = Meeting(lab, monkeypatch, order)
    results = meeting.run(
        first=lambda: lab.vera.create("hold", subject=run, reason="Temperature was out of range."),
        second=lambda: lab.quinn.do(decision, "release", sign=True),
    )
    assert outcome(results, "first") == "done"
    if order[0] == "first":
        assert outcome(results, "second") == "HOLD"
        assert lab.row(decision).state == "proposed"
        assert [d["code"] for d in lab.refusals(decision)] == ["HOLD"]
    else:
        assert outcome(results, "second") == "done"
        assert lab.row(decision).state == "released"
    assert [b.number for b in lab.row(run).blockers] == [results["first"]]


@orders
def test_a_hold_of_the_record_itself_stops_the_act_that_comes_after_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    study = lab.new_study()
    meeting = Meeting(lab, monkeypatch, order)
    results = meeting.run(
        first=lambda: lab.vera.create("hold", subject=study, reason="The protocol is in question."),
        second=lambda: lab.sam.do(study, "accept_responsibility", sign=True),
    )
    assert outcome(results, "first") == "done"
    assert outcome(results, "second") == ("HOLD" if order[0] == "first" else "done")
    assert lab.row(study).state == ("draft" if order[0] == "first" else "director_accepted")


@orders
def test_a_version_made_obsolete_is_not_linked_by_who_comes_after_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    sop = lab.new_sop()
    lab.approve_sop(sop)
    lab.work().due()
    person = lab.number_of("alan")
    meeting = Meeting(lab, monkeypatch, order)
    results = meeting.run(
        first=lambda: lab.quinn.do(
            sop, "obsolete", sign=True, why="Nobody has worked by it for a long time."
        ),
        second=lambda: lab.aurel.create(
            "training_record", person=person, document=f"{sop} v1", depth="read_understood", due=LATER
        ),
    )
    assert outcome(results, "first") == "done"
    assert outcome(results, "second") == ("LINK_VER" if order[0] == "first" else "done")
    linked = [r for r in lab.reading.linked(lab.row(sop, 1).uid) if r.type == "training_record"]
    assert len(linked) == (0 if order[0] == "first" else 1)


@orders
def test_a_role_revoked_before_an_act_is_written_refuses_the_act(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    username = f"pat{ORDERS.index(order)}"
    person = _hired(lab, username, "ANL")
    grant = next(
        r.number for r in lab.reading.linked(person.uid) if r.type == "role_grant" and r.state == "active"
    )
    meeting = Meeting(lab, monkeypatch, order)
    results = meeting.run(
        first=lambda: lab.vera.do(grant, "revoke", sign=True, why="Left the laboratory today."),
        second=lambda: person.create("image_set", title=username, study=lab.n["study"]),
    )
    assert outcome(results, "first") == "done"
    assert outcome(results, "second") == ("AUTH_ROLE" if order[0] == "first" else "done")
    made = lab.ask("select count(*) from projection.record where title = %s and type = 'image_set'", username)
    assert made[0][0] == (0 if order[0] == "first" else 1)


def _hired(lab: Lab, username: str, *roles: str) -> Person:
    number = lab.invite(username, username.title(), roles)
    person = lab.sign_in(username)
    person.create(
        "esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="I have read it."
    )
    return person


@orders
def test_of_two_approvals_one_is_stale_and_one_signature_stands(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    sop = lab.new_sop()
    lab.aurel.do(sop, "submit", sign=True)
    lab.rita.do(sop, "review", sign=True)
    people = {"first": lab.quinn, "second": lab.vera}
    meeting = Meeting(lab, monkeypatch, order)
    results = meeting.run(
        first=lambda: lab.quinn.do(sop, "approve", sign=True, version=3),
        second=lambda: lab.vera.do(sop, "approve", sign=True, version=3),
    )
    winner, loser = order
    assert (outcome(results, winner), outcome(results, loser)) == ("done", "SIG_STALE")
    assert lab.row(sop).people["signed_approved"] == [people[winner].uid]
    signed = [e for e in lab.history(sop) if e["meaning"] == "approved"]
    assert len(signed) == 1


@orders
def test_data_is_not_complete_while_a_session_is_being_opened(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    study = lab.new_study()
    lab.start_study(study)
    meeting = Meeting(lab, monkeypatch, order)
    results = meeting.run(
        first=lambda: lab.new_session(study=study),
        second=lambda: lab.sam.do(study, "complete_data"),
    )
    assert outcome(results, "first") == "done"
    assert outcome(results, "second") == ("SEQ_PRE" if order[0] == "first" else "done")
    assert lab.row(study).state == ("in_progress" if order[0] == "first" else "data_complete")


@orders
def test_a_user_name_is_given_once(lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]) -> None:
    name = f"twin{ORDERS.index(order)}"
    other = name.replace("w", "vv")  # looks like it
    meeting = Meeting(lab, monkeypatch, order)

    def create(username: str) -> Callable[[], str]:
        return lambda: lab.ada.create(
            "user", username=username, printed_name="Twin", kind="person", email="t@lab.example"
        )

    results = meeting.run(first=create(name), second=create(other))
    winner, loser = order
    assert (outcome(results, winner), outcome(results, loser)) == ("done", "DUP")


@orders
def test_of_two_workers_one_brings_a_version_into_force(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    sop = lab.new_sop()
    lab.approve_sop(sop)
    lab.service()
    meeting = Meeting(lab, monkeypatch, order)
    version = lab.row(sop).version

    def bring() -> Receipt:
        change = Change("make_effective", number=sop, expected_version=version)
        return lab.door.submit(change, lab.service())

    results = meeting.run(first=bring, second=bring)
    assert sorted(outcome(results, n) for n in order) == ["SIG_STALE", "done"]
    assert lab.row(sop).version == version + 1


def test_many_editors_at_once_leave_one_unbroken_chain(lab: Lab) -> None:
    sop = lab.new_sop()
    people = [lab.aurel, lab.rex]
    done = 0
    for turn in range(4):
        version = lab.row(sop).version
        results = together(
            *[
                lambda person=person, i=i, version=version, turn=turn: person.do(
                    sop,
                    "edit",
                    version=version,
                    why="Made it clearer for readers.",
                    title=f"Turn {turn} by {i}",
                )
                for i, person in enumerate(people * 3)
            ]
        )
        won = [r for r in results if isinstance(r, Receipt)]
        assert len(won) == 1, "exactly one of those who read the same version may write the next"
        assert {r.code for r in results if isinstance(r, CoverslipError)} <= {"SIG_STALE"}
        done += 1
    entries = [e for e in lab.history(sop) if not e["about"]]
    assert [e["version"] for e in entries] == list(range(1, done + 2))


def test_many_creations_at_once_get_numbers_of_their_own(lab: Lab) -> None:
    results = together(
        *[lambda i=i: lab.aurel.create("document_sop", title=f"T{i}", criticality="gxp") for i in range(8)]
    )
    assert len(set(results)) == 8, results


def test_a_session_ended_in_the_middle_of_an_act_ends_the_act(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.identity.sign_out(lab.aurel.opened.session)
    lab._people.pop("aurel")
    person = lab.sign_in("aurel")
    sop = person.create("document_sop", title="Ended", criticality="gxp")
    commit = lab.store.commit

    def ending(batch: Any) -> Any:
        if any(entry.kind == "document_sop" for entry in batch.entries):
            lab.accounts.close_session(person.context.session, "ended by the test")
        return commit(batch)

    monkeypatch.setattr(lab.store, "commit", ending)
    with pytest.raises(CoverslipError) as caught:
        person.do(sop, "edit", why="Made it clearer for readers.", title="Ended meanwhile")
    assert caught.value.code == "AUTH_REQUIRED"
    assert lab.row(sop).version == 1


def test_a_record_changed_between_preparing_and_writing_makes_the_signature_stale(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    sop = lab.new_sop()
    commit, changed = lab.store.commit, []

    def meanwhile(batch: Any) -> Any:
        if not changed and batch.entries[0].kind == "document_sop":
            changed.append(True)
            lab.rex.do(sop, "edit", why="Made it clearer for readers.", title="Changed meanwhile")
        return commit(batch)

    monkeypatch.setattr(lab.store, "commit", meanwhile)
    change = Change("submit", number=sop, expected_version=1, shown=SHOWN)
    with pytest.raises(CoverslipError) as caught:
        lab.aurel.submit(change, lab.aurel.credential)
    assert caught.value.code == "SIG_STALE"
    assert (lab.row(sop).state, lab.row(sop).version) == ("draft", 2)
    assert not [e for e in lab.history(sop) if e["meaning"]]


def test_a_guarded_record_that_changed_harmlessly_does_not_cost_the_act(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = lab.new_session()
    commit, changed = lab.store.commit, []

    def meanwhile(batch: Any) -> Any:
        if not changed and batch.entries[0].kind == "acquisition_session":
            changed.append(True)
            hold = lab.vera.create("hold", subject=lab.n["study"], reason="For a moment, to look at it.")
            lab.vera.do(hold, "lift", sign=True, why="Nothing was found there.")
        return commit(batch)

    monkeypatch.setattr(lab.store, "commit", meanwhile)
    lab.start_session(session)
    assert changed
    assert lab.row(session).state == "running"


def test_a_signature_over_unchanged_content_survives_a_second_decision(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = lab.alan.create("image_set", title="Wells", study=lab.n["study"], members=[lab.new_image()])
    commit, changed = lab.store.commit, []
    image = lab.row(chosen).fields["members"][0]["number"]

    def meanwhile(batch: Any) -> Any:
        if not changed and batch.entries[0].kind == "image_set":
            changed.append(True)
            hold = lab.vera.create("hold", subject=image, reason="For a moment, to look at it.")
            lab.vera.do(hold, "lift", sign=True, why="Nothing was found there.")
        return commit(batch)

    monkeypatch.setattr(lab.store, "commit", meanwhile)
    lab.alan.do(chosen, "freeze", sign=True)
    assert changed
    assert lab.row(chosen).state == "frozen"
    assert lab.row(chosen).fields["frozen_at"][:10] == TODAY.isoformat()
