"""The sequencer: gives committed entries their place in the tree, then has the tree signed.

Rules kept here (LEDGER 4):

* One leader: a session advisory lock, and the tree's row locked in each transaction.
* Integrated durably first, signed afterwards; what was signed is stored and anchored last. A crash
  between two of these is made good by the next step.
* Low water only leaves out ids that no running transaction can still fill: an id is drawn after its
  transaction has an xid, so ids drawn before an old snapshot are settled once everything that
  snapshot saw running has ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from coverslip.errors import CoverslipError, EnvironmentFault, EvidenceBroken
from coverslip.ledger import note
from coverslip.ledger.tree import Frontier
from coverslip.store import memory, pending, startup
from coverslip.store.anchors import Anchor
from coverslip.store.notes import NoteVerifier
from coverslip.store.pending import Alarm
from coverslip.store.signer import CheckpointSigner, Signed
from coverslip.store.tiles import TreeReader, full_tiles

Connection = psycopg.Connection[Any]

LEADER: Final = 0x636F7665
CADENCE: Final = 0.2
_RETRY: Final = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. ``leader`` is false where another sequencer holds the log."""

    leader: bool
    integrated: int = 0
    size: int = 0
    signed: int = 0
    alarms: tuple[Alarm, ...] = ()


@dataclass
class _Horizon:
    """An id and the xid bound read after it: ids up to it are settled once all older xids have ended."""

    last_id: int
    xmax: int


@dataclass
class Sequencer:
    """Integrates log 1. Not for several threads; several processes may run it, one leads.

    ``connect`` opens a connection of cs_sequencer; ``alarm`` is told of every alarm after it is stored.
    """

    connect: Callable[[], Connection]
    signer: CheckpointSigner
    admission_key: bytes = field(repr=False)
    anchors: Sequence[Anchor] = ()
    alarm: Callable[[Alarm], None] | None = None
    limit: int = pending.LIMIT
    _conn: Connection | None = None
    _leads: bool = False
    _horizon: _Horizon | None = None
    _anchored: int = field(default=-1)

    def close(self) -> None:
        """Give up the lead and the connection."""
        if self._conn is not None:
            self._conn.close()
        self._conn, self._leads, self._horizon = None, False, None

    def step(self, *, sign: bool = True) -> Step:
        """Integrate what is pending (at most ``limit`` entries), then sign, store and anchor.

        Raises RECOVERY_REQUIRED when the tree contradicts what was signed, UNAVAILABLE when the signer
        does not answer; the entries integrated stay so.
        """
        conn = self._ready()
        if not self._leads:
            return Step(False)
        integrated, size, found = self._integrate(conn)
        for one in found:
            _log.error("ledger alarm %s on entry %d: %s", one.kind, one.entry_id, one.detail)
            if self.alarm is not None:
                self.alarm(one)
        signed = self._publish(conn) if sign else 0
        return Step(True, integrated, size, signed, tuple(found))

    def run(self, stop: threading.Event) -> None:
        """Step every 200 ms, or at once when notified or behind, until ``stop`` is set.

        A lost database or signer is tried again each second; RECOVERY_REQUIRED is raised.
        """
        while not stop.is_set():
            try:
                done = self.step()
                if done.integrated < self.limit:
                    self._wait()
            except (psycopg.OperationalError, EnvironmentFault) as error:
                _log.warning("sequencer waits: %s", error)
                self.close()
                stop.wait(_RETRY)
        self.close()

    # --- connection and lead -------------------------------------------------------------------
    def _ready(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn, self._leads, self._horizon = self.connect(), False, None
            self._conn.autocommit = True
            self._conn.execute("listen ledger")
        if not self._leads:
            row = self._conn.execute("select pg_try_advisory_lock(%s)", (LEADER,)).fetchone()
            if row is not None and row[0]:
                # A database that is not the one that was signed is not written to.
                self._compare(self._conn)
                self._leads = True
        return self._conn

    def _compare(self, conn: Connection) -> None:
        last = self.signer.last()
        startup.compare(conn, last)
        kept = [("the database", data) for data in memory.newest_stored(conn)]
        verifier = NoteVerifier(note.VerifierKey.parse(self.signer.vkey()))
        memory.insist_whole([] if last is None else [last], kept, [verifier])

    def _wait(self) -> None:
        if self._conn is None:
            return
        until = time.monotonic() + CADENCE
        for _ in self._conn.notifies(timeout=max(0.0, until - time.monotonic()), stop_after=1):
            return

    # --- integration ---------------------------------------------------------------------------
    def _integrate(self, conn: Connection) -> tuple[int, int, list[Alarm]]:
        with conn.transaction():
            conn.execute("set local synchronous_commit = on")
            row = conn.execute(
                "select size, frontier, low_water from ledger.tree where log_id = 1 for update"
            ).fetchone()
            if row is None:
                raise EnvironmentFault("ENVIRONMENT", what="ledger", expected="an open log", found="none")
            frontier, low_water = Frontier(int(row[0]), row[1]), int(row[2])
            entries = pending.fetch(conn, low_water, self.limit)
            good = [one for one in entries if pending.admitted(one, self.admission_key)]
            kept = {one.id for one in good}
            found = [
                Alarm("admission", one.id, "false admission tag: it did not come through the application")
                for one in entries if one.id not in kept
            ]  # fmt: skip
            found += [alarm for one in good for alarm in pending.alarms(one)]
            if good:
                self._append(conn, frontier, [(one.id, one.stored_hash) for one in good])
            _store_alarms(conn, found)
            self._advance(conn, low_water)
        return len(good), frontier.size, found

    def _append(self, conn: Connection, frontier: Frontier, added: list[tuple[int, bytes]]) -> None:
        start = frontier.size
        hashes = [hashed for _, hashed in added]
        tiles = full_tiles(TreeReader(conn), frontier, hashes)
        with conn.cursor().copy("copy ledger.leaf(log_id, idx, entry_id) from stdin") as copy:
            for index, (entry_id, _) in enumerate(added, start):
                copy.write_row((1, index, entry_id))
        if tiles:
            with conn.cursor().copy(
                "copy ledger.tile(log_id, level, n, hashes) from stdin (format binary)"
            ) as copy:
                copy.set_types(("int2", "int2", "int8", "bytea"))
                for level, number, data in tiles:
                    copy.write_row((1, level, number, data))
        frontier.extend(hashes)
        conn.execute(
            "update ledger.tree set size = %s, frontier = %s, root = %s, at = greatest(at, clock_timestamp())"
            " where log_id = 1",
            (frontier.size, frontier.hashes, frontier.root()),
        )

    def _advance(self, conn: Connection, low_water: int) -> None:
        row = conn.execute("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone()
        if self._horizon is not None and row is not None and row[0] >= self._horizon.xmax:
            # Everything up to the horizon is settled; what is not in the tree yet still holds it back.
            if self._horizon.last_id > low_water:
                self._lower_to(conn, low_water, self._horizon.last_id)
            self._horizon = None
        if self._horizon is None:
            last = conn.execute("select last_value, is_called from ledger.entry_id_seq").fetchone()
            bound = conn.execute("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
            if last is not None and bound is not None and last[1]:
                self._horizon = _Horizon(int(last[0]), int(bound[0]))

    def _lower_to(self, conn: Connection, low_water: int, settled: int) -> None:
        row = conn.execute(
            "select min(e.id) from ledger.entry e where e.log_id = 1 and e.id > %s and e.id <= %s"
            " and not exists (select 1 from ledger.leaf l where l.entry_id = e.id)"
            " and not exists (select 1 from ops.alarm a where a.kind = 'admission' and a.entry_id = e.id)",
            (low_water, settled),
        ).fetchone()
        held_back = None if row is None else row[0]
        target = settled if held_back is None else held_back - 1
        if target > low_water:
            conn.execute("update ledger.tree set low_water = %s where log_id = 1", (target,))

    # --- signing -------------------------------------------------------------------------------
    def _publish(self, conn: Connection) -> int:
        row = conn.execute("select size from ledger.tree where log_id = 1").fetchone()
        if row is None or not row[0]:
            return 0
        size = int(row[0])
        if size == self._anchored:
            return size
        signed = self._sign(conn)
        conn.execute(
            "insert into ledger.checkpoint(log_id, size, root, note) values (1, %s, %s, %s)"
            " on conflict do nothing",
            (signed.size, signed.root, signed.note),
        )
        self._anchor(conn, signed)
        self._anchored = signed.size
        return signed.size

    def _sign(self, conn: Connection) -> Signed:
        """Have the tree as it is now signed; raises as the signer does.

        A refusal counts only if the signer's memory is still the one the proof was made for: a leader
        that was frozen, and its successor, may both be here, and the slower one then looks again.
        """
        while True:
            last = self.signer.last()
            row = conn.execute("select size, root from ledger.tree where log_id = 1").fetchone()
            size, root = (int(row[0]), bytes(row[1])) if row is not None else (0, b"")
            proof = [] if last is None or last.size >= size else TreeReader(conn).consistency(last.size, size)
            try:
                return self.signer.sign(size, root, proof)
            except EvidenceBroken:
                if self.signer.last() == last:
                    raise

    def _anchor(self, conn: Connection, signed: Signed) -> None:
        for anchor in self.anchors:
            known = conn.execute(
                "select 1 from ledger.anchor where log_id = 1 and size = %s and type = %s and target = %s",
                (signed.size, anchor.type, anchor.target),
            ).fetchone()
            if known is not None:
                continue
            try:
                evidence = anchor.put(signed.note)
            except (OSError, CoverslipError) as error:
                # The next checkpoint tries again; pages show how old the last anchor is.
                _log.warning("anchor %s %s: %s", anchor.type, anchor.target, error)
                continue
            conn.execute(
                "insert into ledger.anchor(log_id, size, type, target, evidence) values (1, %s, %s, %s, %s)",
                (signed.size, anchor.type, anchor.target, evidence),
            )


def _store_alarms(conn: Connection, found: list[Alarm]) -> None:
    for one in found:
        conn.execute(
            "insert into ops.alarm(kind, entry_id, detail) values (%s, %s, %s) on conflict do nothing",
            (one.kind, one.entry_id, one.detail),
        )
