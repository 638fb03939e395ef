"""Verification of the whole ledger: nothing in the database is believed because the database says it.

Rules kept here: everything is recomputed from the entries' bytes in one snapshot, then compared with the
tree, the tiles, the checkpoints, the signer's journal, the anchors and the heads; nothing is repaired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import psycopg

from coverslip.ledger import leaf, note
from coverslip.ledger.failure import LeafError
from coverslip.store import check_guards, check_recovery
from coverslip.store.check_admission import AdmissionCheck
from coverslip.store.check_entries import Content, EntryCheck
from coverslip.store.check_tree import TreeCheck, check_state, promises
from coverslip.store.check_walk import walk
from coverslip.store.findings import Report
from coverslip.store.notes import NoteVerifier
from coverslip.store.signer import Signed


def verify_ledger(
    conn: psycopg.Connection[Any],
    journal: Sequence[Signed],
    anchors: Sequence[bytes],
    keys: Sequence[str],
    admission_key: bytes | None = None,
    told: Callable[[int], None] | None = None,
) -> Report:
    """Verify log 1 in one snapshot.

    ``conn`` is an idle connection of cs_verifier; ``journal`` what the signer signed, oldest first;
    ``anchors`` notes kept elsewhere; ``keys`` the verifier keys (vkey texts) that count. Raises
    NoteError for a malformed key. ``admission_key`` (32 bytes) is what the application proves itself with
    to the sequencer; without it admission tags are counted as unchecked.
    ``told`` hears how many entries were walked.
    """
    verifiers = [NoteVerifier(note.VerifierKey.parse(key)) for key in keys]
    report = Report()
    conn.autocommit = False
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    conn.read_only = True
    with conn.transaction():
        row = conn.execute("select origin from ledger.log where log_id = 1").fetchone()
        if row is None:
            report.add("tree", "there is no log")
            return report
        origin = str(row[0])
        promised, signed = promises(conn, journal, anchors, verifiers, origin, report)
        tree = TreeCheck(report, frozenset(one.size for one in promised))
        number = partial(_number, conn)
        entries = EntryCheck(report, origin, _projected(conn), number)
        walk(conn, tree, entries, report, number, AdmissionCheck(conn, admission_key, report), told)
        entries.finish()
        check_state(conn, tree, report)
        tree.compare(promised, entries.faulty)
        _heads(conn, entries, report)
        check_recovery.recoveries(conn, journal, report)
        check_guards.unsigned(signed, tree.frontier.size, _time(conn, max(signed, default=0)), report)
        check_guards.anchored(conn, verifiers, origin, report)
        check_guards.strays(conn, report)
        check_guards.others(conn, report)
        check_guards.guards(conn, report)
    return report


def _time(conn: psycopg.Connection[Any], index: int) -> datetime | None:
    """Return the time that the entry at a tree index states, None where there is none to read."""
    row = conn.execute(
        "select e.leaf from ledger.leaf l join ledger.entry e on e.id = l.entry_id"
        " where l.log_id = 1 and l.idx = %s", (index,),
    ).fetchone()  # fmt: skip
    try:
        return None if row is None else leaf.parse_time(leaf.parse(bytes(row[0])).at)
    except LeafError:
        return None


def _number(conn: psycopg.Connection[Any], stream: str) -> str:
    row = conn.execute("select number from projection.number where uid = %s", (stream,)).fetchone()
    return stream if row is None else str(row[0])


def _projected(conn: psycopg.Connection[Any]) -> Any:
    def current(kind: str, uid: str) -> tuple[int, Content] | None:
        row = conn.execute(
            "select version, content from projection.record where type = %s and uid = %s", (kind, uid)
        ).fetchone()
        return None if row is None else (int(row[0]), row[1])

    return current


def _heads(conn: psycopg.Connection[Any], entries: EntryCheck, report: Report) -> None:
    """Heads are projections, but they outlive a cut-off: they name records whose newest versions are gone."""
    found = conn.execute(
        "select uid, number, version, leaf_hash from projection.record"
        " union all select stream, kind, version, leaf_hash from projection.stream"
    )
    pending = {
        (str(stream), version): bytes(hashed)
        for stream, version, hashed in conn.execute(
            "select e.record_id, e.version, e.leaf_hash from ledger.entry e"
            " where not exists (select 1 from ledger.leaf l where l.entry_id = e.id)"
        )
    }
    for uid, number, version, hashed in found:
        report.counts["heads"] += 1
        known = entries.streams.get(str(uid))
        if pending.get((str(uid), version)) == bytes(hashed):
            continue
        if known is None or known.version < version:
            report.add(
                "head", f"the ledger ends at version {known.version if known else 0} of this record",
                record=number, version=version,
            )  # fmt: skip
        elif known.version == version and known.leaf_hash != bytes(hashed):
            report.add(
                "head", "its newest entry is not the one that was projected", record=number, version=version
            )
        elif known.version > version:
            report.add(
                "head",
                f"the ledger has version {known.version} of this record",
                record=number,
                version=version,
            )
