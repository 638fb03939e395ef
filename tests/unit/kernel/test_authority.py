"""Who may act and who may sign: by role held now, by training in date, by person, never by role alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from coverslip.kernel.change import Change, Credential
from fix_lab import SHOWN, TODAY, Lab, Person, refused


def test_without_the_role_nothing_is_made_and_the_refusal_names_it(lab: Lab) -> None:
    before = lab.ask("select count(*) from projection.record")
    with refused("AUTH_ROLE") as caught:
        lab.nora.create("document_sop", title="Mine", criticality="gxp")
    assert "the role Author" in caught[0].message
    assert lab.ask("select count(*) from projection.record") == before
    assert lab.refusals()[-1]["code"] == "AUTH_ROLE"


def test_an_act_without_the_role_is_one_entry_about_the_record(lab: Lab) -> None:
    sop = lab.new_sop()
    with refused("AUTH_ROLE"):
        lab.alan.do(sop, "edit", why="I would like it otherwise.", title="Other")
    assert [d["code"] for d in lab.refusals(sop)] == ["AUTH_ROLE"]
    about = [e for e in lab.history(sop) if e["type"] == "refusal"]
    assert about[0]["actor"] == lab.alan.uid
    assert lab.row(sop).version == 1


def test_a_person_with_both_roles_does_not_review_their_own_work(lab: Lab) -> None:
    sop = lab.rex.create(
        "document_sop", title="By Rex", criticality="gxp", body="1.", change_summary="First.",
        training_depth="none", audience=[], effective_date=TODAY.isoformat(),
    )  # fmt: skip
    lab.rex.do(sop, "submit", sign=True)
    with refused("AUTH_SELF"):
        lab.rex.do(sop, "review", sign=True)
    lab.rita.do(sop, "review", sign=True)
    assert lab.row(sop).state == "in_approval"


def test_whoever_changed_a_line_does_not_review_it_either(lab: Lab) -> None:
    sop = lab.new_sop()
    lab.rex.do(sop, "edit", why="Made it clearer for readers.", title="Clearer")
    lab.aurel.do(sop, "submit", sign=True)
    with refused("AUTH_SELF"):
        lab.rex.do(sop, "review", sign=True)


def test_whoever_chose_the_images_does_not_review_the_run(lab: Lab) -> None:
    chosen = lab.rex.create("image_set", title="Wells", study=lab.n["study"], members=[lab.new_image()])
    lab.rex.do(chosen, "freeze", sign=True)
    run, case = lab.new_review(image_set=chosen)
    with refused("AUTH_SELF"):
        lab.rex.do(case, "start")
    lab.review(case, "rita")
    assert lab.row(run).state == "accepted"


def test_a_reviewer_does_not_release_what_they_reviewed_for_quality(lab: Lab) -> None:
    _, decision = lab.new_release()
    with refused("AUTH_SELF"):
        lab.vera.do(decision, "release", sign=True)
    lab.quinn.do(decision, "release", sign=True)


def test_nobody_approves_a_grant_to_themselves_or_one_they_asked_for(lab: Lab) -> None:
    own = lab.ada.create(
        "role_grant", person=lab.number_of("vera"), role="ROLE-QAL", justification="Needed here."
    )
    with refused("AUTH_SELF"):
        lab.vera.do(own, "approve", sign=True)
    asked = lab.quinn.create(
        "role_grant", person=lab.number_of("nora"), role="ROLE-QAL", justification="Needed here."
    )
    with refused("AUTH_SELF"):
        lab.quinn.do(asked, "approve", sign=True)


def test_an_administrator_never_becomes_an_analyst(lab: Lab) -> None:
    with refused("SEQ_PRE") as caught:
        lab.quinn.create(
            "role_grant", person=lab.number_of("ada"), role="ROLE-ANL", justification="Only for a day."
        )
    assert "segregation of duties" in caught[0].message


def test_only_the_trainee_says_they_have_read(lab: Lab) -> None:
    number = lab.aurel.create(
        "training_record", person=lab.number_of("nora"), document=lab.n["sop"], depth="read_understood",
        due=TODAY.isoformat(),
    )  # fmt: skip
    with refused("AUTH_ROLE"):
        lab.alan.do(number, "complete", sign=True)
    lab.nora.do(number, "complete", sign=True)
    assert lab.row(number).people["signed_acknowledged"] == [lab.nora.uid]


# --- training ----------------------------------------------------------------------------------


def newcomer(lab: Lab, username: str, *roles: str) -> Person:
    number = lab.invite(username, username.title(), roles)
    person = lab.sign_in(username)
    person.create(
        "esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="I read it."
    )
    return person


def start(person: Person, session: str) -> None:
    person.do(session, "start", settings={"objective": "20x"}, checks=[], device_clock_offset_ms=0)


def test_the_untrained_do_not_acquire_until_they_are_trained(lab: Lab) -> None:
    person = newcomer(lab, "tessa", "OPR")
    session = lab.new_session()
    with refused("AUTH_TRAIN") as caught:
        start(person, session)
    assert lab.n["sop"] in caught[0].message
    assert [d["code"] for d in lab.refusals(session)] == ["AUTH_TRAIN"]
    record = lab.aurel.create(
        "training_record", person=lab.number_of("tessa"), document=lab.n["sop"], depth="read_understood",
        due=TODAY.isoformat(),
    )  # fmt: skip
    person.do(record, "complete", sign=True)
    start(person, session)


def test_training_whose_last_day_is_over_counts_no_longer(lab: Lab) -> None:
    person = newcomer(lab, "trudy", "OPR")
    yesterday = (TODAY - dt.timedelta(days=1)).isoformat()
    record = lab.aurel.create(
        "training_record", person=lab.number_of("trudy"), document=lab.n["sop"], depth="read_understood",
        due=TODAY.isoformat(), expires=yesterday,
    )  # fmt: skip
    person.do(record, "complete", sign=True)
    session = lab.new_session()
    with refused("AUTH_TRAIN"):
        start(person, session)
    assert lab.work().due() >= 1
    assert lab.row(record).state == "expired"


def test_a_role_that_asks_training_is_no_use_without_it(lab: Lab) -> None:
    sop = lab.new_sop("Approving")
    lab.approve_sop(sop)
    lab.work().due()
    role = lab.quinn.create("role", code="TST", title="Tester", description="Tests.")
    lab.vera.do(role, "approve", sign=True)
    number = lab.invite("tom", "Tom", ())
    grant = lab.ada.create("role_grant", person=number, role=role, justification="Needed here.")
    lab.quinn.do(grant, "approve", sign=True)
    lab.aurel.do(role, "propose_documents", why="Holders work by it.", proposed_documents=[sop])
    lab.quinn.do(role, "approve_documents", sign=True)
    held = lab.store.facts({"session": lab.sign_in("tom").context.session})
    assert [d["number"] for d in held["documents"]] == [sop]


# --- when a role begins and ends ---------------------------------------------------------------


def test_a_grant_counts_from_its_first_day_only(lab: Lab) -> None:
    number = lab.invite("frieda", "Frieda", ())
    lab.grant(number, "AUT", start=(TODAY + dt.timedelta(days=2)).isoformat())
    with refused("AUTH_ROLE"):
        lab.sign_in("frieda").create("document_sop", title="Early", criticality="gxp")


def test_a_grant_ends_with_its_last_day(lab: Lab) -> None:
    number = lab.invite("gerda", "Gerda", ())
    grant = lab.grant(number, "AUT", end=(TODAY - dt.timedelta(days=1)).isoformat())
    with refused("AUTH_ROLE"):
        lab.sign_in("gerda").create("document_sop", title="Late", criticality="gxp")
    assert lab.work().due() >= 1
    assert lab.row(grant).state == "expired"


def test_a_revoked_role_is_gone_at_the_next_request(lab: Lab) -> None:
    number = lab.invite("hanna", "Hanna", ())
    grant = lab.grant(number, "AUT")
    hanna = lab.sign_in("hanna")
    sop = hanna.create("document_sop", title="While it lasts", criticality="gxp")
    lab.vera.do(grant, "revoke", sign=True, why="Moved to another laboratory.")
    with refused("AUTH_ROLE"):
        hanna.do(sop, "edit", why="One more thing to say.", title="After it")


# --- signing -----------------------------------------------------------------------------------


def test_machines_never_sign(lab: Lab) -> None:
    sop = lab.new_sop()
    credential = lab.aurel.credential
    change = Change("submit", number=sop, expected_version=1, shown=SHOWN)
    for auth in ("service", "device", "token"):
        with refused("AUTH_ROLE") as caught:
            lab.door.submit(change, replace(lab.aurel.context, auth=auth), credential)
        assert "sign" in caught[0].message
    assert lab.row(sop).state == "draft"


def test_the_scheduler_and_a_device_are_refused_what_people_sign(lab: Lab) -> None:
    sop = lab.new_sop()
    for context in (lab.service(), lab.device()):
        with refused("AUTH_ROLE"):
            lab.door.submit(
                Change("submit", number=sop, expected_version=1, shown=SHOWN), context, Credential("x", "y")
            )


def test_without_the_policy_acknowledged_nobody_signs(lab: Lab) -> None:
    lab.invite("ines", "Ines", ("AUT",))
    ines = lab.sign_in("ines")
    sop = ines.create(
        "document_sop", title="Unsigned", criticality="gxp", body="1.", change_summary="First.",
        training_depth="none", audience=[], effective_date=TODAY.isoformat(),
    )  # fmt: skip
    with refused("AUTH_ESIGN") as caught:
        ines.do(sop, "submit", sign=True)
    assert "POL-0001" in caught[0].message
    lab._people["ines"] = ines
    ines.create(
        "esign_acknowledgement", sign=True, person=lab.number_of("ines"), policy="POL-0001", statement="Read."
    )
    ines.do(sop, "submit", sign=True)


def test_nobody_acknowledges_for_another(lab: Lab) -> None:
    with refused("AUTH_SELF") as caught:
        lab.rita.create(
            "esign_acknowledgement",
            sign=True,
            person=lab.number_of("vera"),
            policy="POL-0001",
            statement="Read.",
        )
    assert "only acknowledge for yourself" in caught[0].message


def test_an_identity_nobody_verified_neither_signs_in_nor_signs(lab: Lab) -> None:
    number = lab.ada.create(
        "user", username="jana", printed_name="Jana", kind="person", email="j@lab.example"
    )
    lab.enrol(number, "jana")
    with refused("SIG_REAUTH"):
        lab.sign_in("jana")
    check = [{"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(number, "activate", sign=True, identity_check=check)
    assert lab.sign_in("jana").uid


@pytest.mark.parametrize("who", ["ada", "quinn"])
def test_only_security_verifies_an_identity(lab: Lab, who: str) -> None:
    username = f"karl{who}"
    number = lab.ada.create(
        "user", username=username, printed_name="Karl", kind="person", email="k@lab.example"
    )
    lab.enrol(number, username)
    check = [{"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}]
    with refused("AUTH_ROLE"):
        getattr(lab, who).do(number, "activate", sign=True, identity_check=check)


def test_a_locked_person_cannot_go_on_and_is_let_in_by_somebody_else(lab: Lab) -> None:
    number = lab.invite("lena", "Lena", ("AUT",))
    lena = lab.sign_in("lena")
    lab.aurel.do(number, "lock", why="Her laptop was lost.")
    with refused("AUTH_REQUIRED"):
        lena.create("document_sop", title="After the lock", criticality="gxp")
    with refused("AUTH_SELF"):
        lab.aurel.do(number, "unlock", why="It was found again.")
    lab.ada.do(number, "unlock", why="It was found again.")
    with refused("AUTH_REQUIRED"):
        lena.create("document_sop", title="In the session from before", criticality="gxp")
    lab.sign_in("lena").create("document_sop", title="After the lock", criticality="gxp")


# --- holds -------------------------------------------------------------------------------------


def test_a_record_on_hold_is_neither_edited_nor_moved_on_until_quality_lifts_it(lab: Lab) -> None:
    study = lab.new_study()
    hold = lab.vera.create("hold", subject=study, reason="The protocol is in question.")
    with refused("HOLD"):
        lab.sam.do(study, "edit", why="One more thing to say.", title="Edited on hold")
    with refused("HOLD"):
        lab.sam.do(study, "accept_responsibility", sign=True)
    with refused("AUTH_ROLE"):
        lab.sam.do(hold, "lift", sign=True, why="I am sure it is fine.")
    assert [d["code"] for d in lab.refusals(study)] == ["HOLD", "HOLD"]
    lab.quinn.do(hold, "lift", sign=True, why="The protocol was confirmed.")
    lab.sam.do(study, "edit", why="One more thing to say.", title="Edited after it")
