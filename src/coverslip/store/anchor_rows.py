"""What the database knows of anchors: the newest checkpoint, what was kept of it where, and changes of key.

Rules kept here: evidence is appended and never changed; who keeps evidence connects as cs_sequencer, who
reads it needs no more than to read the ledger. Ages are the database's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import psycopg

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.ledger import canonical, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.store.pool import Pool
from coverslip.store.sections import sections_of
from coverslip.store.tiles import TreeReader

Connection = psycopg.Connection[Any]
TIMESTAMP: Final = "rfc3161"
_RELEASED: Final = b'"meaning":"released"'
_KEYS: Final = (
    "select l.idx, e.leaf, b.fixed, b.fixed_salts, b.erasable, b.erasable_salts from ledger.entry e"
    " join ledger.leaf l on l.entry_id = e.id join ledger.body b on b.entry_id = e.id"
    " where e.log_id = 1 and e.kind = 'installation' and position('\"type\":\"keys\"'::bytea in e.leaf) > 0"
    " order by l.idx"
)


@dataclass(frozen=True, slots=True)
class Success:
    """The last time a target kept a checkpoint: its size, when (UTC, ISO) and how many seconds ago."""

    size: int
    at: str
    age_s: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence and the checkpoint note it is about (empty where no such note is stored)."""

    size: int
    type: str
    target: str
    data: bytes
    note: bytes


def newest(conn: Connection) -> tuple[int, bytes] | None:
    """Return size and note of the newest checkpoint, None before the first."""
    row = conn.execute(
        "select size, note from ledger.checkpoint where log_id = 1 order by size desc limit 1"
    ).fetchone()
    return None if row is None else (int(row[0]), bytes(row[1]))


def newest_token(conn: Connection) -> str:
    """Return the SHA-256 (hex) of the newest timestamp token kept, empty when there is none.

    A heartbeat carries it: what comes after that heartbeat is not older than the token.
    """
    row = conn.execute(
        "select evidence from ledger.anchor where log_id = 1 and type = %s order by obtained_at desc limit 1",
        (TIMESTAMP,),
    ).fetchone()
    return "" if row is None else sha256(bytes(row[0])).hexdigest()


def keep(conn: Connection, size: int, kind: str, target: str, evidence: bytes) -> None:
    """Store evidence that a target keeps the checkpoint of ``size``."""
    conn.execute(
        "insert into ledger.anchor(log_id, size, type, target, evidence) values (1, %s, %s, %s, %s)",
        (size, kind, target, evidence),
    )


def successes(conn: Connection) -> dict[tuple[str, str], Success]:
    """Return the last success of each (type, target)."""
    rows = conn.execute(
        "select distinct on (type, target) type, target, size,"
        " to_char(obtained_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
        " extract(epoch from clock_timestamp() - obtained_at)"
        " from ledger.anchor where log_id = 1 order by type, target, obtained_at desc"
    )
    return {(str(r[0]), str(r[1])): Success(int(r[2]), str(r[3]), float(r[4])) for r in rows}


def evidence(conn: Connection, kinds: Sequence[str], only: int | None = None) -> Iterator[Evidence]:
    """Yield the evidence of some kinds, by size; of one size if ``only`` is given."""
    for row in conn.execute(
        "select a.size, a.type, a.target, a.evidence, c.note from ledger.anchor a"
        " left join ledger.checkpoint c on c.log_id = a.log_id and c.size = a.size"
        " where a.log_id = 1 and a.type = any(%s) and (%s::bigint is null or a.size = %s)"
        " order by a.size, a.obtained_at",
        (list(kinds), only, only),
    ):
        yield Evidence(int(row[0]), str(row[1]), str(row[2]), bytes(row[3]), bytes(row[4] or b""))


def released(conn: Connection, first: int, last: int) -> bool:
    """Whether a release was signed among the leaves ``first`` to before ``last``."""
    row = conn.execute(
        "select 1 from ledger.leaf l join ledger.entry e on e.id = l.entry_id"
        " where l.log_id = 1 and l.idx >= %s and l.idx < %s and position(%s in e.leaf) > 0 limit 1",
        (first, last, _RELEASED),
    ).fetchone()
    return row is not None


def leaves(conn: Connection, first: int, last: int) -> list[bytes]:
    """Return at most 4 000 leaves from index ``first`` to before ``last``."""
    rows = conn.execute(
        "select e.leaf from ledger.leaf l join ledger.entry e on e.id = l.entry_id"
        " where l.log_id = 1 and l.idx >= %s and l.idx < %s order by l.idx limit 4000",
        (first, last),
    )
    return [bytes(row[0]) for row in rows]


def proof(conn: Connection, old: int, new: int) -> list[bytes]:
    """Return the consistency proof between two sizes of the log."""
    return TreeReader(conn).consistency(old, new)


def rotations(conn: Connection) -> list[tuple[int, bytes]]:
    """Return (tree index, statement) of every ``keys`` entry, in tree order, none of them checked.

    Raises EVIDENCE for an entry that does not open.
    """
    found = []
    names = ("fixed", "fixed_salts", "erasable", "erasable_salts")
    for row in conn.execute(_KEYS):
        try:
            columns = dict(zip(names, row[2:], strict=True))
            opened = sections_of(leaf.parse(bytes(row[1])), columns)
            found.append((int(row[0]), str(canonical.decode(opened["detail"][1])["statement"]).encode()))
        except (LedgerError, KeyError, TypeError) as error:
            raise EvidenceBroken(
                "EVIDENCE", what=f"the keys entry at index {row[0]}", expected="a statement", found=str(error)
            ) from error
    return found


class AnchorRows:
    """The log's side of anchoring for threads that come and go: a connection for each question."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """``connect`` opens an autocommit connection of cs_sequencer."""
        self._connect = connect
        self._looking: Connection | None = None

    def newest(self) -> tuple[int, bytes] | None:
        """Return size and note of the newest checkpoint; asked often, so on one connection, by one thread.

        Raises UNAVAILABLE while the database does not answer.
        """
        try:
            if self._looking is None:
                self._looking = self._connect()
            return newest(self._looking)
        except psycopg.OperationalError as error:
            self.close()
            raise EnvironmentFault("UNAVAILABLE", what="The database") from error

    def close(self) -> None:
        """Let go of the connection on which is looked."""
        if self._looking is not None:
            self._looking.close()
        self._looking = None

    def keep(self, size: int, kind: str, target: str, evidence: bytes) -> None:
        """Store evidence."""
        with self._connect() as conn:
            keep(conn, size, kind, target, evidence)

    def last_size(self, kind: str, target: str) -> int:
        """Return the size a target kept last, 0 when none."""
        with self._connect() as conn:
            found = successes(conn).get((kind, target))
            return 0 if found is None else found.size

    def released(self, first: int, last: int) -> bool:
        """Whether a release was signed among some leaves."""
        with self._connect() as conn:
            return released(conn, first, last)

    def prove(self, old: int, new: int) -> list[bytes]:
        """Return the consistency proof between two sizes."""
        with self._connect() as conn:
            return proof(conn, old, new)

    def leaves(self, first: int, last: int) -> list[bytes]:
        """Return leaves from an index on."""
        with self._connect() as conn:
            return leaves(conn, first, last)

    def rotations(self) -> list[bytes]:
        """Return the statements about changes of key, oldest first."""
        with self._connect() as conn:
            return [statement for _, statement in rotations(conn)]


class AnchorReading:
    """Reads what copies carry: timestamps by name, and the newest cosigned note of each witness."""

    def __init__(self, pool: Pool) -> None:
        """``pool`` may read the ledger."""
        self._pool = pool

    def stamps(self) -> list[tuple[int, str]]:
        """Return (size, SHA-256 in hex) of every timestamp kept, by size."""
        with self._pool.connection() as conn:
            rows = conn.execute(
                "select size, encode(sha256(evidence), 'hex') from ledger.anchor"
                " where log_id = 1 and type = %s order by size, obtained_at",
                (TIMESTAMP,),
            )
            return [(int(row[0]), str(row[1])) for row in rows]

    def stamp(self, size: int, digest: str) -> tuple[bytes, bytes]:
        """Return a timestamp by size and hash, and the note it is about. Raises EVIDENCE where it is gone."""
        with self._pool.connection() as conn:
            for one in evidence(conn, [TIMESTAMP], size):
                if sha256(one.data).hexdigest() == digest:
                    return one.data, one.note
        raise EvidenceBroken(
            "EVIDENCE", what=f"the timestamp of {size} entries", expected=digest, found="no such evidence"
        )

    def cosigned(self, size: int) -> list[bytes]:
        """Return the newest note of at most ``size`` entries that each witness cosigned."""
        with self._pool.connection() as conn:
            rows = conn.execute(
                "select distinct on (target) evidence from ledger.anchor"
                " where log_id = 1 and type = 'witness' and size <= %s order by target, size desc",
                (size,),
            )
            return [bytes(row[0]) for row in rows]
