"""Recoveries: each on the ledger, in the signer's journal, and declared by two people who could.

Rules kept here: an entry without the signer's line, or a line without its entry, is a finding; so is a
recovery whose two people the history before it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import psycopg

from coverslip.errors import Refused
from coverslip.store import recovered, rows
from coverslip.store.findings import Report
from coverslip.store.recovery import insist_declared
from coverslip.store.rows import cut
from coverslip.store.signer import Signed
from coverslip.verifier.recovery import Recovery, parse
from coverslip.verifier.report import BundleError


def recoveries(conn: psycopg.Connection[Any], journal: Sequence[Signed], report: Report) -> None:
    """Compare the recovery entries with the signer's journal, and judge each again."""
    declared = [json.loads(one.recovery) for one in journal if one.recovery]
    seen: list[Any] = []
    for index, detail in recovered.entries(conn):
        report.counts["recoveries"] += 1
        seen.append(detail)
        if detail not in declared:
            report.add("recovery", "the signer's journal knows nothing of this recovery", index=index)
        try:
            made = parse(detail)
            if index is not None and index < made.found.size:
                raise BundleError(f"it stands before the end of the tree it went on from, {made.found.size}")
            _judge(conn, made)
        except (BundleError, Refused) as error:
            report.add("recovery", str(error), index=index, field="detail")
    for one in declared:
        if one not in seen:
            report.add("recovery", f"no entry tells of it: {parse(one).sentence()}")


def _judge(conn: psycopg.Connection[Any], made: Recovery) -> None:
    # The date of the declaration, not today: roles end, what was declared under them stays.
    insist_declared(made, _entries(conn), made.prepared_at[:10])


def _entries(conn: psycopg.Connection[Any]) -> Iterator[tuple[int, bytes, dict[str, tuple[bytes, bytes]]]]:
    for row in rows.stream(conn):
        yield row.index, row.leaf, cut(row, orjson.loads(row.leaf)["bodies"]).sections
