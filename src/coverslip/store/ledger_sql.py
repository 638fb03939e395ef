"""The store behind the kernel's port: ``facts`` and ``commit``, one prepared statement each.

Rules kept here:

* A commit is one call and one transaction; nothing is held while Python thinks.
* Locks are asked for in one order, (type, uid), the stronger kind where a record is both read and
  written, so that two commands do not wait for each other.
* The admission tag is made here, with a key the database does not know.
* After a broken connection the command is looked up: what was written is answered, never written twice.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import pq
from psycopg.rows import dict_row

from coverslip.errors import EnvironmentFault
from coverslip.kernel.ports import Batch, Committed, Earlier, NewEntry
from coverslip.ledger import leaf
from coverslip.ledger.tree import leaf_hash
from coverslip.store import wire
from coverslip.store.pool import Connection, Pool
from coverslip.store.refusals import from_state
from coverslip.store.room import Room
from coverslip.store.sections import sections_of

_FACTS = b"coverslip_facts"
_COMMIT = b"coverslip_commit"
_COMMIT_TYPES = (
    wire.UUID_, wire.TEXT, wire.BYTEA, wire.UUID_, wire.UUID_, wire.INT8, wire.TIMESTAMPTZ, wire.TIMESTAMPTZ,
    wire.TEXTS, wire.UUIDS, wire.INT8S, wire.BOOLS, wire.INT8S, wire.INT8S,
    wire.UUIDS, wire.TEXTS, wire.INT4S, wire.BYTEAS, wire.UUIDS, wire.UUIDS, wire.BYTEAS, wire.BYTEAS,
    wire.BYTEAS, wire.BYTEAS, wire.BYTEAS, wire.BYTEAS, wire.JSONB,
)  # fmt: skip
_COMMIT_SQL = (
    "select ops.commit(" + ", ".join(f"${n}" for n in range(1, len(_COMMIT_TYPES) + 1)) + ")"
).encode()
_EARLIER = (
    "select c.command_id, c.request_hash, c.answer ->> 'at' as at, e.leaf, b.fixed, b.fixed_salts"
    " from ops.command c join ledger.entry e on e.command_id = c.command_id"
    " join ledger.body b on b.entry_id = e.id where c.actor = %s and c.idem_key = %s"
    " order by e.id"
)
_FORMATS = [pq.Format.BINARY] * len(_COMMIT_TYPES)


def prepare(conn: Connection) -> None:
    """Prepare both statements on a new connection of the pool."""
    for name, sql, types in (
        (_FACTS, b"select ops.facts($1)", (wire.JSONB,)),
        (_COMMIT, _COMMIT_SQL, _COMMIT_TYPES),
    ):
        result = conn.pgconn.prepare(name, sql, types)
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.DatabaseError(result.error_message.decode(errors="replace"))


def writer_pool(dsn: str, size: int = 8) -> Pool:
    """Return a pool of role cs_writer with both statements prepared; open it before use."""
    return Pool(dsn, name="writer", size=size, prepare=prepare)


def admission_tag(key: bytes, hashed: bytes) -> bytes:
    """Return the 32-byte tag that lets the sequencer accept the entry of leaf hash ``hashed``."""
    return hmac.digest(key, hashed, "sha256")


class PostgresStore:
    """The kernel's ``Store`` on PostgreSQL. Thread-safe; one connection per call."""

    def __init__(self, pool: Pool, admission_key: bytes, room: Room | None = None) -> None:
        """Take a pool of ``writer_pool``, the 32-byte admission key, and who watches the disk's room."""
        self._pool = pool
        self._key = admission_key
        self._room = room
        self._first = threading.Lock()
        self.before_first: Callable[[], None] | None = None
        """What to insist on before the first commit of this process; it raises."""

    def facts(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Read everything a plan names in one statement. Raises UNAVAILABLE."""
        with self._pool.connection() as conn:
            result = conn.pgconn.exec_prepared(_FACTS, [wire.jsonb(orjson.dumps(plan))], [pq.Format.BINARY])
            if result.status != pq.ExecStatus.TUPLES_OK:
                raise EnvironmentFault("UNAVAILABLE", what="The database") from _database_error(result)
            value = result.get_value(0, 0)
        found: dict[str, Any] = orjson.loads(value or b"{}")
        return found

    def commit(self, batch: Batch) -> Committed:
        """Write a command whole or not at all.

        Raises SIG_STALE when something read has changed, DUP, IDEMPOTENCY, AUTH_REQUIRED, CLOCK, and
        TRAIL_UNAVAILABLE when nothing could be written, STORAGE when the disk's reserve is reached.
        """
        if not batch.entries:
            raise ValueError("a command without entries")
        self._insist_first()
        if self._room is not None:
            self._room.insist()
        parameters = self._parameters(batch)
        try:
            with self._pool.connection() as conn:
                # libpq takes None for NULL; the type says otherwise.
                result = conn.pgconn.exec_prepared(_COMMIT, parameters, _FORMATS)  # type: ignore[arg-type]
                broken = conn.pgconn.status != pq.ConnStatus.OK
        except EnvironmentFault as error:
            raise EnvironmentFault("TRAIL_UNAVAILABLE", why="no connection") from error
        if result.status == pq.ExecStatus.TUPLES_OK:
            return _committed(orjson.loads(result.get_value(0, 0) or b"{}"))
        if broken:
            written = self._written(batch.command)
            if written is not None:
                return written
        raise _refusal(result) from _database_error(result)

    def _insist_first(self) -> None:
        # Once, and by one thread: many that begin together would take every connection there is.
        if self.before_first is None:
            return
        with self._first:
            if self.before_first is not None:
                self.before_first()
                self.before_first = None

    def erase(self, batch: Batch, entries: Sequence[int]) -> Committed:
        """Write an erasure and empty the personal sections of ``entries`` (ids), or neither.

        For a store on a pool of cs_eraser. The batch holds an entry of type ``erasure`` that names the
        records. Raises as ``commit`` does; TRAIL_UNAVAILABLE when an entry is not of a record it names.
        """
        parameters = self._parameters(batch)
        with self._pool.connection() as conn:
            try:
                with conn.transaction():
                    result = conn.pgconn.exec_prepared(_COMMIT, parameters, _FORMATS)  # type: ignore[arg-type]
                    if result.status != pq.ExecStatus.TUPLES_OK:
                        raise _refusal(result) from _database_error(result)
                    conn.execute("select ops.erase_bodies(%s)", (list(entries),))
            except psycopg.Error as error:
                raise from_state(error.sqlstate or "", str(error), "") from error
        return _committed(orjson.loads(result.get_value(0, 0) or b"{}"))

    def wake(self) -> None:
        """Tell the sequencer that somebody waits; it also looks by itself every 200 ms."""
        with self._pool.connection() as conn:
            conn.execute("notify ledger")

    def earlier(self, actor: UUID, key: str) -> Earlier | None:
        """Return what this actor wrote under an idempotency key, if anything. Raises UNAVAILABLE."""
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(_EARLIER, (actor, key)).fetchall()
        if not rows:
            return None
        leaves = [(bytes(row["leaf"]), row) for row in rows]
        entries = tuple((data, sections_of(leaf.parse(data), row)["content"][1]) for data, row in leaves)
        first = rows[0]
        return Earlier(first["command_id"], bytes(first["request_hash"] or b""), str(first["at"]), entries)

    def _written(self, command: UUID) -> Committed | None:
        try:
            with self._pool.connection() as conn:
                row = conn.execute(
                    "select answer from ops.command where command_id = %s", (command,)
                ).fetchone()
        except (psycopg.Error, EnvironmentFault) as error:
            raise EnvironmentFault("TRAIL_UNAVAILABLE", why="connection lost") from error
        return None if row is None else _committed(row[0])

    def _parameters(self, batch: Batch) -> list[bytes | None]:
        entries = batch.entries
        locks = _locks(batch)
        scopes = _scopes(batch)
        return [
            batch.command.bytes,
            None if batch.idempotency_key is None else batch.idempotency_key.encode(),
            batch.request_hash,
            batch.actor.bytes,
            None if batch.session is None else batch.session.bytes,
            None if batch.epoch is None else wire.int8(batch.epoch),
            None if batch.valid_until is None else wire.instant(batch.valid_until),
            wire.instant(batch.at),
            wire.array(wire.TEXT, [kind.encode() for kind, _, _, _ in locks]),
            wire.array(wire.UUID_, [uid.bytes for _, uid, _, _ in locks]),
            wire.array(wire.INT8, [None if seq is None else wire.int8(seq) for _, _, seq, _ in locks]),
            wire.array(wire.BOOL, [wire.boolean(exclusive) for _, _, _, exclusive in locks]),
            wire.array(wire.INT8, [wire.int8(key) for key, _ in scopes]),
            wire.array(wire.INT8, [None if seq is None else wire.int8(seq) for _, seq in scopes]),
            wire.array(wire.UUID_, [entry.stream.bytes for entry in entries]),
            wire.array(wire.TEXT, [entry.kind.encode() for entry in entries]),
            wire.array(wire.INT4, [wire.int4(entry.version) for entry in entries]),
            wire.array(wire.BYTEA, [entry.prev for entry in entries]),
            wire.array(wire.UUID_, [None if entry.actor is None else entry.actor.bytes for entry in entries]),
            wire.array(wire.UUID_, [None if entry.about is None else entry.about.bytes for entry in entries]),
            wire.array(wire.BYTEA, [entry.leaf for entry in entries]),
            wire.array(wire.BYTEA, [admission_tag(self._key, leaf_hash(entry.leaf)) for entry in entries]),
            wire.array(wire.BYTEA, [entry.fixed_salts if _has_body(entry) else None for entry in entries]),
            wire.array(wire.BYTEA, [entry.fixed if _has_body(entry) else None for entry in entries]),
            wire.array(wire.BYTEA, [entry.erasable_salts for entry in entries]),
            wire.array(wire.BYTEA, [entry.erasable for entry in entries]),
            wire.jsonb(orjson.dumps([_element(entry) for entry in entries])),
        ]


def _has_body(entry: NewEntry) -> bool:
    return bool(entry.fixed_salts) or entry.erasable is not None


def _element(entry: NewEntry) -> dict[str, Any] | None:
    return None if entry.projection is None else entry.projection.element()


def _locks(batch: Batch) -> list[tuple[str, UUID, int | None, bool]]:
    """Every head this command reads, writes or blocks: (type, uid, expected seq, exclusive), sorted."""
    wanted: dict[tuple[str, UUID], tuple[int | None, bool]] = {
        (read.type, read.uid): (read.seq, False) for read in batch.reads
    }
    for entry in batch.entries:
        if entry.projection is None:
            continue
        targets = [(str(b["target_type"]), UUID(str(b["target_uid"]))) for b in entry.projection.blocks]
        if entry.version > 1:
            targets.append((entry.kind, entry.stream))
        for target in targets:
            wanted[target] = (wanted.get(target, (None, False))[0], True)
    return [(kind, uid, *wanted[kind, uid]) for kind, uid in sorted(wanted)]


def _scopes(batch: Batch) -> list[tuple[int, int | None]]:
    wanted: dict[int, int | None] = {}
    for scope in batch.scopes:
        if wanted.get(scope.key) is None:
            wanted[scope.key] = scope.seq
    return sorted(wanted.items())


def _committed(answer: Mapping[str, Any]) -> Committed:
    return Committed(
        tuple(int(entry["id"]) for entry in answer["entries"]),
        str(answer["at"]),
        bool(answer.get("replayed")),
    )


def _field(result: pq.abc.PGresult, field: pq.DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode(errors="replace")


def _refusal(result: pq.abc.PGresult) -> Exception:
    code = pq.DiagnosticField
    return from_state(
        _field(result, code.SQLSTATE), _field(result, code.MESSAGE_PRIMARY),
        _field(result, code.MESSAGE_DETAIL),
        _field(result, code.CONSTRAINT_NAME),
    )  # fmt: skip


def _database_error(result: pq.abc.PGresult) -> psycopg.DatabaseError:
    return psycopg.DatabaseError(result.error_message.decode(errors="replace").strip())
