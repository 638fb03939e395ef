"""Proving single entries and records: from the stored bytes to a signed root, computed when it is asked.

Rules kept here:

* Nothing is believed because the database says it: leaf hashes are made from the bytes, sections must open
  their commitments, a path of hashes must lead to the root of a checkpoint that a key of this log signed.
* The versions of a record are a chain of hashes: the newest one in the tree, with the chain before it, proves
  them all.
* Roots of whole subtrees are remembered. A wrong one proves nothing: the path then misses the signed root.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from coverslip.errors import EvidenceBroken
from coverslip.ledger import canonical, commitment, leaf, note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import LedgerError
from coverslip.ledger.proof import verify_inclusion
from coverslip.ledger.tree import leaf_hash
from coverslip.store.pool import Pool
from coverslip.store.sections import sections_of
from coverslip.store.tiles import TreeReader

_KEPT: Final = 100_000
_ENTRIES: Final = (
    "select e.id, e.version, e.leaf, e.leaf_hash, l.idx, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable"
    " from ledger.entry e left join ledger.leaf l on l.log_id = e.log_id and l.entry_id = e.id"
    " left join ledger.body b on b.entry_id = e.id where e.log_id = 1"
)
_HEAD: Final = "select version, leaf_hash, content from projection.record where type = %(t)s and uid = %(u)s"
_OF: Final = " and (e.record_id = %(u)s or e.about = %(u)s)"
_ABOUT: Final = _ENTRIES + _OF + " order by e.id desc limit %(l)s"
_COUNT: Final = "select count(*) as n from ledger.entry e where e.log_id = 1" + _OF  # noqa: S608 -- fixed words
HOLDS, WAITS, ALTERED = "holds", "waits", "altered"
Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one entry. ``path`` are hex hashes, leaf to root; empty where there is none."""

    entry: str
    index: int | None
    leaf_hash: str
    state: str
    why: str = ""
    path: tuple[str, ...] = ()
    about: bool = False
    act: str = ""
    at: str = ""

    def value(self) -> dict[str, Any]:
        """Return the form pages take."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Signed:
    """The newest checkpoint that a key of this log signed: entries, root and note."""

    size: int
    root: bytes
    text: str

    def value(self) -> dict[str, Any]:
        """Return size and root (hex)."""
        return {"size": self.size, "root": self.root.hex()}


class Proving:
    """Proves on a pool that may select from ``ledger`` and ``projection``; safe for many threads."""

    def __init__(self, pool: Pool, verifiers: Callable[[], Sequence[note.Verifier]]) -> None:
        """``verifiers`` returns the public keys of this log."""
        self._pool, self._verifiers = pool, verifiers
        self._known: dict[tuple[int, int], bytes] = {}

    def entry(self, index: int) -> tuple[Proof, Signed | None] | None:
        """Return the proof of the entry at a tree index, and the checkpoint it is in; None: no such entry."""
        with self._pool.connection() as conn, conn.transaction():
            rows = _all(conn, f"{_ENTRIES} and l.idx = %(i)s", {"i": index})
            if not rows:
                return None
            signed = self.checkpoint(conn)
            return self._prove(conn, rows[0], signed), signed

    def entries(self, uid: str, most: int) -> tuple[list[Proof], Signed | None, int]:
        """Return proofs of the newest entries of a record and about it, oldest first, and of how many."""
        with self._pool.connection() as conn, conn.transaction():
            rows = _all(conn, _ABOUT, {"u": uid, "l": most})
            count = _all(conn, _COUNT, {"u": uid})
            signed = self.checkpoint(conn)
            return [self._prove(conn, row, signed) for row in reversed(rows)], signed, int(count[0]["n"])

    def record(self, kind: str, uid: str) -> tuple[str, str, int]:
        """Return (state, why, size of the checkpoint) of a record: every version, and what is projected."""
        with self._pool.connection() as conn, conn.transaction():
            rows = _all(conn, f"{_ENTRIES} and e.record_id = %(u)s order by e.version", {"u": uid})
            head = _all(conn, _HEAD, {"t": kind, "u": uid})
            why = _chain(rows) or _projected(rows, head)
            if why:
                return ALTERED, why, 0
            placed = [row for row in rows if row["idx"] is not None]
            signed = self.checkpoint(conn)
            if signed is None or not placed:
                return WAITS, "no signed checkpoint covers it yet", 0
            covered = [row for row in placed if row["idx"] < signed.size]
            if covered:
                proof = self._prove(conn, covered[-1], signed)
                if proof.state == ALTERED:
                    return ALTERED, proof.why, signed.size
            if len(covered) < len(rows):
                return WAITS, "its newest entry waits for the next checkpoint", signed.size
            return HOLDS, "", signed.size

    def checkpoint(self, conn: Connection) -> Signed | None:
        """Return the newest stored checkpoint whose note a key of this log signed, None before the first.

        Raises ``EVIDENCE`` where its signature does not hold: nothing can be proven by it.
        """
        rows = _all(
            conn, "select note from ledger.checkpoint where log_id = 1 order by size desc limit 1", {}
        )
        if not rows:
            return None
        try:
            parsed = note.parse(bytes(rows[0]["note"]))
            note.verify(parsed, self._verifiers())
            found = Checkpoint.parse(parsed.text)
        except LedgerError as error:
            raise EvidenceBroken(
                "EVIDENCE", what="the newest checkpoint", expected="a signature of this log", found=str(error)
            ) from error
        return Signed(found.size, found.root, bytes(rows[0]["note"]).decode())

    def text(self, proof: Proof, signed: Signed) -> str:
        """Return a proof as C2SP tlog-proof text."""
        lines = [base64.b64encode(bytes.fromhex(one)).decode() for one in proof.path]
        return "\n".join(["c2sp.org/tlog-proof@v1", f"index {proof.index}", *lines, "", signed.text])

    def _prove(self, conn: Connection, row: Mapping[str, Any], signed: Signed | None) -> Proof:
        hashed, index = leaf_hash(bytes(row["leaf"])), row["idx"]
        named, about, act, at = _named(bytes(row["leaf"]))
        why = _opened(row, hashed)
        given = (named, index, hashed.hex())
        if why:
            return Proof(*given, ALTERED, why, (), about, act, at)
        if signed is None or index is None or index >= signed.size:
            return Proof(*given, WAITS, "no signed checkpoint covers it yet", (), about, act, at)
        try:
            path = _Remembering(conn, self._known).inclusion(index, signed.size)
            verify_inclusion(index, signed.size, hashed, path, signed.root)
        except LedgerError as error:
            why = f"it does not lead to the signed root: {error}"
            return Proof(*given, ALTERED, why, (), about, act, at)
        return Proof(*given, HOLDS, "", tuple(one.hex() for one in path), about, act, at)


class _Remembering(TreeReader):
    """A reader of the tree that keeps the roots of whole subtrees beyond its own life."""

    def __init__(self, conn: Connection, known: dict[tuple[int, int], bytes]) -> None:
        super().__init__(conn)
        self._roots = known

    def subtree(self, start: int, stop: int) -> bytes:
        """Return the root of leaves ``start`` to ``stop`` (exclusive). Raises TreeError."""
        key, count = (start, stop), stop - start
        if count < 256 or count & (count - 1):
            return super().subtree(start, stop)
        found = self._roots.get(key)
        if found is None:
            found = super().subtree(start, stop)
            if len(self._roots) >= _KEPT:
                self._roots.clear()
            self._roots[key] = found
        return found


def _all(conn: Connection, query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


def _named(data: bytes) -> tuple[str, bool, str, str]:
    """Return id, whether it is only about a record, act and time of an entry; empty where unreadable."""
    try:
        parsed = leaf.parse(data)
    except LedgerError:
        return "", False, "", ""
    return parsed.entry, parsed.about is not None, parsed.act, parsed.at


def _opened(row: Mapping[str, Any], hashed: bytes) -> str:
    """Return what does not fit in one entry: its hash, its sections; empty where everything does."""
    if hashed != bytes(row["leaf_hash"]):
        return "the hash of its bytes is not the one stored with it"
    try:
        parsed = leaf.parse(bytes(row["leaf"]))
        stored = sections_of(parsed, row)
        for one in parsed.bodies:
            if one.section in stored:
                commitment.verify(one.section, *stored[one.section], bytes.fromhex(one.commitment))
    except EvidenceBroken as error:
        return error.message
    except LedgerError as error:
        return str(error)
    fixed = [
        b.section for b in parsed.bodies if b.from_version is None and b.section not in commitment.ERASABLE
    ]
    missing = [name for name in fixed if name not in stored]
    return f"its section {missing[0]} is missing" if missing else ""


def _chain(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what is wrong with the versions of a record, oldest first; empty where the chain holds."""
    if not rows:
        return "no entry of it is there"
    before = ""
    for number, row in enumerate(rows, 1):
        hashed = leaf_hash(bytes(row["leaf"]))
        why = _opened(row, hashed)
        if why:
            return f"entry version {row['version']}: {why}"
        parsed = leaf.parse(bytes(row["leaf"])).record
        if parsed.ver != number or (parsed.prev or "") != before:
            return f"entry version {number} does not follow the one before it"
        before = hashed.hex()
    return ""


def _projected(rows: Sequence[Mapping[str, Any]], head: Sequence[Mapping[str, Any]]) -> str:
    """Return where what pages show of a record differs from its newest entry; empty where it does not."""
    if not head:
        return "it is on the ledger and not among the records"
    newest = rows[-1]
    if int(head[0]["version"]) != int(newest["version"]) or bytes(head[0]["leaf_hash"]) != leaf_hash(
        bytes(newest["leaf"])
    ):
        return "what is shown is not its newest entry"
    content = _content(rows)
    shown = head[0]["content"]
    differing = sorted(_differing(content, shown))
    return f"what is shown differs from its entries in {', '.join(differing[:5])}" if differing else ""


def _content(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of the newest version with its personal fields, each as it was stored last."""
    by_version = {int(row["version"]): row for row in rows}
    newest = leaf.parse(bytes(rows[-1]["leaf"]))
    found: dict[str, Any] = {}
    for one in newest.bodies:
        if one.section not in ("content", "personal"):
            continue
        row = by_version[one.from_version or newest.record.ver]
        stored = sections_of(leaf.parse(bytes(row["leaf"])), row)
        if one.section in stored:
            found[one.section] = canonical.decode(stored[one.section][1])
    content = found.get("content", {})
    return {**content, "fields": {**content.get("fields", {}), **(found.get("personal") or {})}}


def _differing(entered: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterable[str]:
    """Yield the names of what two contents differ in."""
    one, other = entered.get("fields", {}), shown.get("fields", {})
    yield from (name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    names = (entered.keys() | shown.keys()) - {"fields"}
    yield from (name for name in names if entered.get(name) != shown.get(name))
