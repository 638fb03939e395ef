"""The one door into the ledger: what a commit writes and what it refuses."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from coverslip_lab import Lab

from coverslip.errors import Conflict, EnvironmentFault, EvidenceBroken, Invalid, Refused
from coverslip.kernel.ports import Batch, Read, Scope
from coverslip.ledger.files import uuid7
from coverslip.store.ledger_sql import PostgresStore


def test_a_commit_writes_entry_body_and_projection_together(lab: Lab) -> None:
    head = lab.write("study", "STU-0001", fields={"name": "first"}, title="First")
    with lab.connect() as conn:
        row = conn.execute(
            "select e.record_id, e.version, e.leaf_hash, r.leaf_hash,"
            " r.state, r.title, r.entry_id = e.id,"
            " octet_length(b.fixed_salts), convert_from(b.erasable, 'UTF8') from ledger.entry e join ledger.body b on b.entry_id = e.id"  # noqa: E501
            " join projection.record r on r.uid = e.record_id"
        ).fetchall()
    assert row == [(head.uid, 1, head.leaf_hash, head.leaf_hash, "draft", "First", True, 32, "because")]


def test_a_second_version_moves_the_head_and_the_guard_counter(lab: Lab) -> None:
    head = lab.write("study", "STU-0001")
    head = lab.write("study", after=head, state="active", reads=(head.read(),))
    row = lab.store.facts({"record": {"type": "study", "uid": str(head.uid)}})["record"]
    assert (row["version"], row["seq"], row["state"], row["leaf_hash"]) == (
        2,
        2,
        "active",
        head.leaf_hash.hex(),
    )


def test_a_version_that_does_not_follow_the_head_is_refused(lab: Lab) -> None:
    first = lab.write("study", "STU-0001")
    lab.write("study", after=first)
    with pytest.raises(Conflict) as caught:
        lab.write("study", after=first)
    assert caught.value.code == "SIG_STALE"
    assert lab.one("select count(*) from ledger.entry") == 2


def test_a_version_that_names_another_predecessor_is_refused(lab: Lab) -> None:
    first = lab.write("study", "STU-0001")
    first.leaf_hash = b"\x00" * 32
    with pytest.raises(Conflict) as caught:
        lab.write("study", after=first)
    assert caught.value.record == "STU-0001"
    assert lab.one("select count(*) from ledger.entry") == 1


def test_of_two_concurrent_commits_on_one_head_one_wins(lab: Lab) -> None:
    first = lab.write("study", "STU-0001")
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            lab.write("study", after=first)
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost", "lost", "lost", "won"]
    assert lab.one("select count(*) from ledger.entry where record_id = %s", first.uid) == 2


def test_a_read_that_changed_since_is_named(lab: Lab) -> None:
    method = lab.write("method", "MTH-0001")
    lab.write("method", after=method)
    with pytest.raises(Conflict) as caught:
        lab.write("analysis_run", "RUN-2026-00001", reads=(method.read(),))
    assert caught.value.record == "MTH-0001"
    assert lab.one("select count(*) from projection.record where type = 'analysis_run'") == 0


def test_a_read_waits_for_the_writer_before_it_and_then_sees_the_change(lab: Lab) -> None:
    method = lab.write("method", "MTH-0001")
    outcome: list[str] = []

    def use() -> None:
        try:
            lab.write("analysis_run", "RUN-2026-00001", reads=(method.read(),))
            outcome.append("won")
        except Conflict:
            outcome.append("lost")

    with lab.connect(autocommit=False) as conn:
        conn.execute("update projection.record set seq = seq + 1 where uid = %s", (method.uid,))
        thread = threading.Thread(target=use)
        thread.start()
        thread.join(0.3)
        assert outcome == []
        conn.commit()
        thread.join()
    assert outcome == ["lost"]


def test_two_readers_of_one_record_do_not_wait_for_each_other(lab: Lab) -> None:
    method = lab.write("method", "MTH-0001")
    with lab.connect(autocommit=False) as conn:
        conn.execute("select 1 from projection.record where uid = %s for share", (method.uid,))
        lab.write("analysis_run", "RUN-2026-00001", reads=(method.read(),))
    assert lab.one("select count(*) from projection.record where type = 'analysis_run'") == 1


def test_a_read_of_a_record_that_does_not_exist_is_refused(lab: Lab) -> None:
    with pytest.raises(Conflict):
        lab.write("analysis_run", "RUN-2026-00001", reads=(Read("method", uuid4(), 1),))


def test_the_same_key_and_request_bring_back_the_first_answer(lab: Lab) -> None:
    at = datetime.now(UTC)
    first, _ = lab.entry("study", "STU-0001", command=uuid7(), at=at)
    one = lab.commit(Batch(uuid7(), lab.actor, at, (first,), idempotency_key="k", request_hash=b"r"))
    other, _ = lab.entry("study", "STU-0002", command=uuid7(), at=at)
    two = lab.commit(Batch(uuid7(), lab.actor, at, (other,), idempotency_key="k", request_hash=b"r"))
    assert two.entries == one.entries and two.at == one.at and two.replayed and not one.replayed
    assert lab.one("select count(*) from ledger.entry") == 1


def test_the_same_key_for_another_request_is_refused(lab: Lab) -> None:
    lab.write("study", "STU-0001", key="k", request=b"one")
    with pytest.raises(Invalid) as caught:
        lab.write("study", "STU-0002", key="k", request=b"two")
    assert caught.value.code == "IDEMPOTENCY" and caught.value.values["key"] == "k"


def test_a_key_of_another_person_is_another_key(lab: Lab) -> None:
    lab.write("study", "STU-0001", key="k", request=b"one")
    lab.actor = uuid4()
    lab.write("study", "STU-0002", key="k", request=b"two")
    assert lab.one("select count(*) from ledger.entry") == 2


def test_one_key_used_at_the_same_time_writes_once(lab: Lab) -> None:
    at = datetime.now(UTC)
    answers = []

    def attempt(n: int) -> None:
        made, _ = lab.entry("study", f"STU-000{n}", command=uuid7(), at=at)
        answers.append(
            lab.commit(Batch(uuid7(), lab.actor, at, (made,), idempotency_key="k", request_hash=b"r"))
        )

    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4 and len({answer.entries for answer in answers}) == 1
    assert lab.one("select count(*) from ledger.entry") == 1


def test_a_number_is_given_once(lab: Lab) -> None:
    lab.write("study", "STU-0001")
    with pytest.raises(Invalid) as caught:
        lab.write("image", "STU-0001")
    assert caught.value.code == "DUP" and caught.value.values["value"] == "STU-0001"


def test_a_number_may_have_several_revisions_but_each_once(lab: Lab) -> None:
    lab.write("sop", "SOP-0001", revision=1)
    lab.write("sop", "SOP-0001", revision=2)
    with pytest.raises(Invalid):
        lab.write("sop", "SOP-0001", revision=2)


def test_a_unique_value_names_its_holder_and_is_free_again_when_let_go(lab: Lab) -> None:
    held = lab.write("site", "SITE-01", unique=[{"scope": "site.code", "value": "north"}])
    with pytest.raises(Invalid) as caught:
        lab.write("site", "SITE-02", unique=[{"scope": "site.code", "value": "north"}])
    assert caught.value.values["other"] == "SITE-01"
    lab.write("site", after=held)
    lab.write("site", "SITE-02", unique=[{"scope": "site.code", "value": "north"}])


def test_a_value_kept_for_ever_is_never_free_again(lab: Lab) -> None:
    held = lab.write("user", "USR-0001", unique=[{"scope": "user.name", "value": "ann", "forever": True}])
    lab.write("user", after=held)
    with pytest.raises(Invalid) as caught:
        lab.write("user", "USR-0002", unique=[{"scope": "user.name", "value": "ann", "forever": True}])
    assert caught.value.values["other"] == "USR-0001"


@pytest.mark.parametrize("seconds", [-6, 6])
def test_an_application_time_away_from_the_database_is_refused(lab: Lab, seconds: int) -> None:
    with pytest.raises(Refused) as caught:
        lab.write("study", "STU-0001", at=datetime.now(UTC) + timedelta(seconds=seconds))
    assert caught.value.code == "CLOCK"


def test_a_live_session_of_the_actor_is_accepted(lab: Lab) -> None:
    lab.write("study", "STU-0001", session=lab.open_session())
    assert lab.one("select count(*) from ledger.entry") == 1


@pytest.mark.parametrize("wrong", ["unknown", "ended", "expired", "of another person"])
def test_any_other_session_is_refused(lab: Lab, wrong: str) -> None:
    session = lab.open_session(minutes=-1 if wrong == "expired" else 10)
    if wrong == "ended":
        with lab.connect("cs_writer") as conn:
            conn.execute("update ops.session set ended_at = now()")
    if wrong == "of another person":
        lab.actor = uuid4()
    with pytest.raises(Refused) as caught:
        lab.write("study", "STU-0001", session=uuid4() if wrong == "unknown" else session)
    assert caught.value.code == "AUTH_REQUIRED"
    assert lab.one("select count(*) from ledger.entry") == 0


def grant(lab: Lab, person: Any, code: str = "OPR") -> dict[str, Any]:
    return {"person": str(person), "kind": "role", "code": code}


def test_a_grant_a_change_of_it_and_its_end_each_move_the_epoch(lab: Lab) -> None:
    head = lab.write("role_grant", "GRT-0001", authority=[grant(lab, lab.actor)])
    assert lab.one("select epoch from ops.authority_epoch where person = %s", lab.actor) == 1
    head = lab.write(
        "role_grant", after=head, authority=[grant(lab, lab.actor)], title="no change of authority"
    )
    assert lab.one("select epoch from ops.authority_epoch where person = %s", lab.actor) == 1
    head = lab.write("role_grant", after=head, authority=[grant(lab, lab.actor, "REV")])
    assert lab.one("select epoch from ops.authority_epoch where person = %s", lab.actor) == 2
    lab.write("role_grant", after=head)
    assert lab.one("select epoch from ops.authority_epoch where person = %s", lab.actor) == 3
    assert lab.one("select count(*) from projection.authority") == 0


def test_cached_authority_is_refused_after_a_change(lab: Lab) -> None:
    head = lab.write("role_grant", "GRT-0001", authority=[grant(lab, lab.actor)])
    lab.write("study", "STU-0001", epoch=1)
    lab.write("role_grant", after=head)
    with pytest.raises(Conflict):
        lab.write("study", "STU-0002", epoch=1)


def test_a_rule_for_everybody_moves_everybodys_epoch(lab: Lab) -> None:
    lab.write("study", "STU-0001", epoch=0)
    lab.write("pol", "POL-0001", authority=[grant(lab, "00000000-0000-0000-0000-000000000000", "policy")])
    session = lab.open_session()
    facts = lab.store.facts({"session": str(session)})
    assert facts["epoch"] == 1 and [a["code"] for a in facts["authority"]] == ["policy"]
    with pytest.raises(Conflict):
        lab.write("study", "STU-0002", epoch=0)
    lab.write("study", "STU-0002", epoch=1)


def test_authority_that_ran_out_meanwhile_is_refused(lab: Lab) -> None:
    with pytest.raises(Conflict):
        lab.write("study", "STU-0001", valid_until=datetime.now(UTC) - timedelta(milliseconds=1))


def test_a_hold_is_seen_by_its_target_without_a_new_version(lab: Lab) -> None:
    image = lab.write("image", "IMG-0001")
    block = [{"target_type": "image", "target_uid": str(image.uid), "reason": "smudge"}]
    hold = lab.write("hold", "HLD-0001", blocks=block)
    row = lab.store.facts({"record": {"type": "image", "uid": str(image.uid)}})["record"]
    assert (row["version"], row["seq"]) == (1, 2)
    assert [(b["number"], b["reason"]) for b in row["blockers"]] == [("HLD-0001", "smudge")]
    lab.write("hold", after=hold)
    row = lab.store.facts({"record": {"type": "image", "uid": str(image.uid)}})["record"]
    assert row["seq"] == 3 and row["blockers"] == []


@pytest.mark.parametrize("hold_first", [True, False])
def test_hold_and_release_meet_in_either_order(lab: Lab, hold_first: bool) -> None:
    image = lab.write("image", "IMG-0001")
    block = [{"target_type": "image", "target_uid": str(image.uid), "reason": "smudge"}]
    seen = image.read()
    if hold_first:
        lab.write("hold", "HLD-0001", blocks=block)
        with pytest.raises(Conflict):
            lab.write("release", "REL-0001", reads=(seen,))
        assert lab.one("select count(*) from projection.record where type = 'release'") == 0
    else:
        lab.write("release", "REL-0001", reads=(seen,))
        lab.write("hold", "HLD-0001", blocks=block)
        assert lab.one("select count(*) from projection.blocker") == 1


def test_a_counted_scope_lets_only_one_of_two_through(lab: Lab) -> None:
    counted = lab.store.facts({"scopes": [42]})["scopes"]["42"]
    outcomes = []

    def attempt(number: str) -> None:
        try:
            lab.write("analysis_run", number, scopes=(Scope(42, counted),))
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=attempt, args=(f"RUN-{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost", "won"]


def test_a_command_over_many_records_is_all_or_nothing(lab: Lab) -> None:
    at, command = datetime.now(UTC), uuid7()
    made = [lab.entry("image", f"IMG-{n:04}", command=command, at=at)[0] for n in (1, 2, 1)]
    with pytest.raises(Invalid):
        lab.commit(Batch(command, lab.actor, at, tuple(made)))
    assert lab.one("select count(*) from ledger.entry") == 0
    assert len(lab.commit(Batch(command, lab.actor, at, tuple(made[:2]))).entries) == 2


def test_a_session_stream_has_no_projection_row_but_a_head(lab: Lab) -> None:
    image = lab.write("image", "IMG-0001")
    stream, at, command = uuid7(), datetime.now(UTC), uuid7()
    first, hashed = lab.stream_entry(
        "session", stream, 1, None, type="session", command=command, at=at, detail={"a": 1}
    )
    second, hashed = lab.stream_entry(
        "session", stream, 2, hashed, type="view", command=command, at=at, detail={"a": 2}, about=image
    )
    lab.commit(Batch(command, lab.actor, at, (first, second)))
    facts = lab.store.facts({"streams": [str(stream)]})
    assert facts["streams"][str(stream)] == {"version": 2, "leaf_hash": hashed.hex()}
    assert lab.one("select count(*) from ledger.entry where about = %s", image.uid) == 1
    with pytest.raises(Conflict):
        lab.commit(Batch(uuid7(), lab.actor, at, (second,)))


def test_a_command_id_is_used_once(lab: Lab) -> None:
    command = uuid7()
    lab.write("study", "STU-0001", command=command)
    with pytest.raises(EnvironmentFault) as caught:
        lab.write("study", "STU-0002", command=command)
    assert caught.value.code == "TRAIL_UNAVAILABLE"
    assert lab.one("select count(*) from ledger.entry") == 1


def test_what_comes_before_the_first_commit_is_asked_once_by_however_many_begin_together() -> None:
    asked: list[int] = []

    def insist() -> None:
        time.sleep(0.05)
        asked.append(1)

    store = PostgresStore(None, b"k" * 32)  # type: ignore[arg-type]
    store.before_first = insist
    threads = [threading.Thread(target=store._insist_first) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert asked == [1]


def test_and_asked_again_while_it_refuses() -> None:
    store = PostgresStore(None, b"k" * 32)  # type: ignore[arg-type]

    def refuse() -> None:
        raise EvidenceBroken("RECOVERY_REQUIRED", signed=2, found=1)

    store.before_first = refuse
    for _ in range(2):
        with pytest.raises(EvidenceBroken):
            store._insist_first()
