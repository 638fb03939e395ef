"""What stands around the entries: triggers, other logs, alarms, signatures over the newest entries.

Rules kept here: a guard that is off, replaced by another kind, or joined by one nobody published is a
finding even when nothing was changed yet; what pages would show but no log accounts for is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from coverslip.ledger import note
from coverslip.store.check_tree import opened
from coverslip.store.findings import Report

PATIENCE: Final = 60
"""Seconds after which a committed entry must be in the tree, and its tree be signed."""

_TABLES: Final = ("entry", "leaf", "tile", "checkpoint", "anchor")
_TRIGGERS: Final = frozenset(
    [(table, name) for table in _TABLES for name in ("append_only", "no_truncate")]
    + [("body", name) for name in ("no_delete", "erase_only", "no_truncate")]
)
_EVENTS: Final = frozenset({"coverslip_ddl_guard", "coverslip_drop_guard"})
_ALWAYS: Final = "A"


def guards(conn: psycopg.Connection[Any], report: Report) -> None:
    """Find guards of the ledger's tables that are off or gone, and triggers or rules that were added."""
    found = {
        (str(table), str(name)): str(enabled)
        for table, name, enabled in conn.execute(
            "select c.relname, t.tgname, t.tgenabled::text from pg_trigger t"
            " join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'ledger' and not t.tgisinternal"
        )
    }
    for table, name in sorted(_TRIGGERS):
        if found.get((table, name)) != _ALWAYS:
            state = "off" if (table, name) in found else "gone"
            report.add("guard", f"the trigger {name} of ledger.{table} is {state}", field=f"{table}.{name}")
    for table, name in sorted(found.keys() - _TRIGGERS):
        report.add("guard", f"the trigger {name} of ledger.{table} is not published", field=f"{table}.{name}")
    events = {
        str(name): str(enabled)
        for name, enabled in conn.execute("select evtname, evtenabled::text from pg_event_trigger")
    }
    for name in sorted(_EVENTS):
        if events.get(name) != _ALWAYS:
            state = "off" if name in events else "gone"
            report.add("guard", f"the event trigger {name} is {state}", field=name)
    for table, name in conn.execute(
        "select schemaname || '.' || tablename, rulename from pg_rules"
        " where schemaname in ('ledger', 'projection', 'ops') order by 1, 2"
    ):
        report.add("guard", f"the rule {name} of {table} is not published", field=f"{table}.{name}")


def others(conn: psycopg.Connection[Any], report: Report) -> None:
    """Find entries outside log 1: pages read them by record, no tree holds them."""
    for entry_id, log_id, number, version in conn.execute(
        "select e.id, e.log_id, coalesce(n.number, e.kind), e.version from ledger.entry e"
        " left join projection.number n on n.uid in (e.record_id, e.about) where e.log_id <> 1 order by e.id"
    ):
        report.add(
            "entry", f"an entry of a log {log_id}, which is not this installation's", entry_id=entry_id,
            record=number, version=version,
        )  # fmt: skip
    for log_id, origin in conn.execute("select log_id, origin from ledger.log where log_id <> 1"):
        report.add("tree", f"a second log, number {log_id}, {origin}")


def strays(conn: psycopg.Connection[Any], report: Report) -> None:
    """Find entries that are not in the tree and should be, or must never be, and bodies of no entry.

    An entry whose stored time lies ahead is taken for an old one: its time decides how long it may wait.
    """
    for entry_id, number, version, why in conn.execute(
        "select e.id, coalesce(n.number, e.kind), e.version, a.detail from ledger.entry e"
        " left join projection.number n on n.uid = e.record_id"
        " left join ops.alarm a on a.entry_id = e.id and a.kind = 'admission'"
        " where e.log_id = 1 and not exists (select 1 from ledger.leaf l where l.entry_id = e.id)"
        " and (a.id is not null or abs(extract(epoch from clock_timestamp() - e.at)) > %s) order by e.id",
        (PATIENCE,),
    ):
        report.add(
            "entry", "an entry that never came into the tree" + (f": {why}" if why else ""),
            entry_id=entry_id, record=number, version=version,
        )  # fmt: skip
    for (entry_id,) in conn.execute(
        "select b.entry_id from ledger.body b"
        " where not exists (select 1 from ledger.entry e where e.id = b.entry_id) order by 1"
    ):
        report.add("body", "a body without an entry", entry_id=entry_id)
    row = conn.execute(
        "select count(*) from ledger.entry e"
        " where not exists (select 1 from ledger.leaf l where l.entry_id = e.id)"
    ).fetchone()
    report.counts["pending"] = 0 if row is None else int(row[0])


def unsigned(signed: Iterable[int], size: int, first: datetime | None, report: Report) -> None:
    """Find entries that have waited for a signature too long.

    ``signed`` are the sizes of notes that hold, ``first`` the time of the first entry beyond them.
    """
    last = max(signed, default=0)
    if last < size and (first is None or datetime.now(UTC) - first > timedelta(seconds=PATIENCE)):
        report.add(
            "checkpoint",
            f"no signature that holds covers index {last} to {size - 1}: they may be anything",
            index=last,
        )


def anchored(
    conn: psycopg.Connection[Any], verifiers: Iterable[note.Verifier], origin: str, report: Report
) -> None:
    """Compare the stored evidence of file anchors with what it is said to be evidence of."""
    known = list(verifiers)
    for size, target, evidence in conn.execute(
        "select size, target, evidence from ledger.anchor where log_id = 1 and type = 'file' order by size"
    ):
        checkpoint = opened(bytes(evidence), known, origin, "anchor", f"of size {size} at {target}", report)
        if checkpoint is not None and checkpoint.size != size:
            report.add(
                "anchor", f"the evidence at {target} is of size {checkpoint.size}, the row says {size}"
            )
