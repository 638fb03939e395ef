"""Sequencing under what really happens: transactions that end late, crashes, two leaders, false tags."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from coverslip_lab import Lab

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.kernel.ports import Batch
from coverslip.ledger.files import uuid7
from coverslip.ledger.tree import root_of
from coverslip.store.ledger_sql import PostgresStore, prepare
from coverslip.store.pool import Pool
from coverslip.store.sequencer import Sequencer, Step
from coverslip.store.tiles import TreeReader


class Slow:
    """A commit held open: written, not yet committed."""

    def __init__(self, lab: Lab, number: str) -> None:
        self.conn = lab.connect("cs_writer", autocommit=False)
        prepare(self.conn)
        self.conn.rollback()
        self.conn.execute("select 1")
        at, command = datetime.now(UTC), uuid7()
        made, self.head = lab.entry("image", number, command=command, at=at)

        class One:
            def connection(inner) -> Any:
                return _Lent(self.conn)

        PostgresStore(One(), lab.key).commit(Batch(command, lab.actor, at, (made,)))  # type: ignore[arg-type]

    def end(self, commit: bool = True) -> None:
        (self.conn.commit if commit else self.conn.rollback)()
        self.conn.close()


class _Lent:
    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn

    def __enter__(self) -> psycopg.Connection[Any]:
        return self._conn

    def __exit__(self, *_: object) -> None:
        return None


def sequenced(lab: Lab) -> int:
    return int(lab.one("select count(*) from ledger.leaf"))


def leading(sequencer: Sequencer) -> Step:
    """Step until it leads: the server needs a moment to notice that the former leader is gone."""
    end = time.monotonic() + 10
    while not (done := sequencer.step()).leader:
        assert time.monotonic() < end
        time.sleep(0.01)
    return done


def test_an_entry_that_commits_after_later_ones_is_not_lost(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    slow = Slow(lab, "IMG-SLOW")
    for number in range(3):
        lab.write("image", f"IMG-{number}")
    for _ in range(4):
        sequencer.step()
    assert sequenced(lab) == 3
    assert lab.one("select low_water from ledger.tree") < 1
    slow.end()
    assert sequencer.step().integrated == 1
    for _ in range(3):
        sequencer.step()
    assert sequenced(lab) == 4 and lab.one("select low_water from ledger.tree") == 4
    assert lab.verify().holds


def test_low_water_waits_for_a_younger_transaction_with_an_older_id(lab: Lab, tmp_path: Path) -> None:
    """The old xid commits a high id while the young xid still holds a low one: neither may be skipped."""
    sequencer = lab.start_signing(tmp_path)
    old = lab.connect("cs_writer", autocommit=False)
    old.execute("update ops.throttle set failures = 0")
    old.execute("select pg_current_xact_id()")
    young = Slow(lab, "IMG-YOUNG")
    old.commit()
    old.close()
    lab.write("image", "IMG-OLD")
    for _ in range(4):
        sequencer.step()
    assert lab.one("select low_water from ledger.tree") < 1
    young.end()
    for _ in range(4):
        sequencer.step()
    assert sequenced(lab) == 2


def test_an_unrelated_long_transaction_does_not_hold_entries_back(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    with lab.connect(autocommit=False) as other:
        other.execute("select pg_current_xact_id()")
        lab.write("image", "IMG-1")
        assert sequencer.step().integrated == 1


def test_ids_of_aborted_transactions_are_harmless(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    Slow(lab, "IMG-NEVER").end(commit=False)
    lab.write("image", "IMG-1")
    for _ in range(3):
        sequencer.step()
    assert sequenced(lab) == 1 and lab.one("select low_water from ledger.tree") == 2
    assert lab.verify().holds


def test_a_backend_killed_mid_commit_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    slow = Slow(lab, "IMG-1")
    lab.one("select pg_terminate_backend(%s)", slow.conn.info.backend_pid)
    with pytest.raises(psycopg.OperationalError):
        slow.conn.execute("select 1")
    slow.conn.close()
    for table in ("ledger.entry", "ledger.body", "projection.record", "projection.number", "ops.command"):
        assert lab.one(f"select count(*) from {table}") == 0
    lab.write("image", "IMG-1")
    assert sequencer.step().integrated == 1 and lab.verify().holds


def test_a_lost_connection_is_told_as_nothing_written_and_can_be_repeated(lab: Lab) -> None:
    lab.pool.close()
    with pytest.raises(EnvironmentFault):
        lab.write("image", "IMG-1")
    with Pool(lab.dsn("cs_writer"), name="again", prepare=prepare) as pool:
        lab.store = PostgresStore(pool, lab.key)
        lab.write("image", "IMG-1")
    assert lab.one("select count(*) from ledger.entry") == 1


def test_many_writers_and_a_running_sequencer_lose_nothing(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    stop = threading.Event()
    runner = threading.Thread(target=sequencer.run, args=(stop,))
    runner.start()

    def work(name: int) -> None:
        for number in range(25):
            lab.write("image", f"IMG-{name}-{number}", reason=None)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    runner.join()
    while sequencer.step().integrated:
        pass
    assert sequenced(lab) == 100
    assert lab.one("select count(*) from ledger.leaf l join ledger.entry e on e.id = l.entry_id") == 100
    report = lab.verify()
    assert report.holds and report.counts["entries"] == 100


def test_of_two_sequencers_one_leads_and_the_other_takes_over(lab: Lab, tmp_path: Path) -> None:
    first = lab.start_signing(tmp_path)
    second = Sequencer(lambda: lab.connect("cs_sequencer"), lab.signer, lab.key)
    lab.write("image", "IMG-1")
    assert first.step().leader and not second.step().leader
    first.close()
    lab.write("image", "IMG-2")
    taken = leading(second)
    second.close()
    assert taken.leader and taken.size == 2


def test_a_crash_between_integration_and_signing_is_made_good(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    lab.write("image", "IMG-1")
    sequencer.step(sign=False)
    assert lab.one("select count(*) from ledger.checkpoint") == 0
    sequencer.close()
    assert leading(sequencer).signed == 1
    assert lab.one("select count(*) from ledger.checkpoint") == 1


def test_a_crash_between_signing_and_storing_is_made_good(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    lab.write("image", "IMG-1")
    sequencer.step(sign=False)
    lab.signer.sign(1, bytes(lab.one("select root from ledger.tree")), [])
    sequencer.step()
    assert bytes(lab.one("select note from ledger.checkpoint")) == lab.signer.last().note
    assert lab.verify().holds


def test_a_false_tag_keeps_the_entry_out_and_raises_one_alarm(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    right, lab.store = lab.store, PostgresStore(lab.pool, b"\x00" * 32)
    lab.write("image", "IMG-1")
    lab.store = right
    lab.write("image", "IMG-2")
    step = sequencer.step()
    assert step.integrated == 1 and [(a.kind, a.entry_id) for a in step.alarms] == [("admission", 1)]
    assert sequencer.step().alarms == ()
    assert lab.one("select count(*) from ops.alarm") == 1


def test_an_entry_with_a_foreign_time_is_taken_and_named(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    at = datetime.now(UTC)
    made, _ = lab.entry("image", "IMG-1", command=uuid7(), at=at.replace(year=at.year - 1))
    lab.commit(Batch(uuid7(), lab.actor, at, (made,)))
    step = sequencer.step()
    assert step.integrated == 1 and {alarm.kind for alarm in step.alarms} == {"form", "time"}


def test_a_signer_that_signed_another_history_stops_the_sequencer(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    lab.signer.sign(5, b"\x01" * 32, [])
    lab.write("image", "IMG-1")
    with pytest.raises(EvidenceBroken) as caught:
        sequencer.step()
    assert caught.value.code == "RECOVERY_REQUIRED" and caught.value.values["signed"] == 5
    assert sequenced(lab) == 0


def test_proofs_out_of_tiles_are_those_of_the_whole_list(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    at, command = datetime.now(UTC), uuid7()
    entries = tuple(
        lab.entry("image", f"IMG-{n}", command=command, at=at, reason=None)[0] for n in range(600)
    )
    lab.commit(Batch(command, lab.actor, at, entries))
    sequencer.limit = 170
    while sequencer.step().integrated:
        pass
    from coverslip.ledger import proof

    with lab.connect("cs_reader") as conn:
        rows = conn.execute(
            "select e.leaf_hash from ledger.leaf l join ledger.entry e on e.id = l.entry_id order by l.idx"
        ).fetchall()
        hashes = [bytes(h) for (h,) in rows]
        reader = TreeReader(conn)
        assert lab.one("select count(*) from ledger.tile") == 2
        for size in (1, 2, 255, 256, 257, 512, 600):
            assert reader.root(size) == root_of(hashes[:size])
            proof.verify_consistency(
                size, 600, root_of(hashes[:size]), root_of(hashes), reader.consistency(size, 600)
            )
            proof.verify_inclusion(
                size - 1, 600, hashes[size - 1], reader.inclusion(size - 1, 600), root_of(hashes)
            )


class Slower:
    """The signer as a slow leader meets it: another leader signs between its question and its request."""

    def __init__(self, lab: Lab, meanwhile: Any) -> None:
        self._signer, self._meanwhile = lab.signer, meanwhile
        self.vkey, self.last = lab.signer.vkey, lab.signer.last

    def sign(self, size: int, root: bytes, proof: Any) -> Any:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return self._signer.sign(size, root, proof)


def test_a_leader_overtaken_while_it_asked_for_a_signature_looks_again(lab: Lab, tmp_path: Path) -> None:
    sequencer = lab.start_signing(tmp_path)
    lab.write("image", "IMG-1")
    assert sequencer.step().signed == 1
    lab.write("image", "IMG-2")

    def overtake() -> None:
        """What a successor does: integrate one more entry and have the larger tree signed."""
        with lab.connect("cs_sequencer") as conn:
            lab.write("image", "IMG-3")
            sequencer._integrate(conn)
            reader = TreeReader(conn)
            lab.signer.sign(3, reader.root(3), reader.consistency(1, 3))

    sequencer.signer = Slower(lab, overtake)  # type: ignore[assignment]
    assert sequencer.step().signed == 3
    assert lab.verify().holds


def test_a_history_the_signer_refuses_is_refused_and_not_asked_about_for_ever(
    lab: Lab, tmp_path: Path
) -> None:
    sequencer = lab.start_signing(tmp_path)
    lab.write("image", "IMG-1")
    assert sequencer.step().signed == 1
    lab.write("image", "IMG-2")

    def refuse() -> None:
        raise EvidenceBroken("RECOVERY_REQUIRED", signed=1, found=2)

    sequencer.signer = Slower(lab, refuse)  # type: ignore[assignment]
    with pytest.raises(EvidenceBroken):
        sequencer.step()
