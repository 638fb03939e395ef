"""The quick check lets pass what the whole check lets pass, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from typing import Any

import psycopg
import pytest

from coverslip.bootstrap import founding
from coverslip.store import check_walk, feeds, rows
from coverslip.store.check_entries import EntryCheck
from coverslip.store.check_quick import QuickCheck
from coverslip.store.feeds import raw_rows
from coverslip.store.findings import Report
from coverslip.store.rows import Row
from coverslip.store.signer import read_journal


@contextmanager
def snapshot(lab: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**lab.cluster.dsn("cs_superuser")) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield conn


class _Founded:
    """Remembers the founding only: what other tests of this worker had signed is not of this copy."""

    def __init__(self, lab: Any) -> None:
        self.vkey = lab.signer.vkey
        self._first = read_journal(lab.home.signer / "journal")[0]

    def last(self) -> Any:
        return self._first


def _integrated(lab: Any) -> None:
    with closing(founding.sequencer_of(lab.home, _Founded(lab))) as sequencer:
        while sequencer.step(sign=False).integrated:
            pass


def _rows(conn: psycopg.Connection[Any]) -> list[Row]:
    return [Row.of(raw) for raw in raw_rows(conn)]


def test_rows_read_ahead_are_those_of_the_joined_query(lab: Any) -> None:
    _integrated(lab)
    with snapshot(lab) as conn:
        ahead, joined = _rows(conn), list(rows.stream(conn))
    assert len(ahead) > 100
    assert ahead == joined


def test_entries_far_out_of_their_order_are_found_with_little_held_back(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _integrated(lab)
    monkeypatch.setattr(feeds, "AHEAD", 3)
    with snapshot(lab) as conn:
        ids = [row.entry_id for row in rows.stream(conn)]
        # As a superuser can: first and last change places, and one leaf names an entry that is not there.
        ids[0], ids[-1], ids[7] = ids[-1], ids[0], 900_000_000
        entries = iter(conn.cursor(binary=True).execute(feeds._ENTRIES).fetchall())
        late, following, most = feeds._Late(conn, entries), next(entries, None), 0
        for wanted in ids:
            found, following = late.get(wanted, following)
            assert (found and found[0]) == (None if wanted == 900_000_000 else wanted)
            most = max(most, len(late._held))
    assert most <= 3


@pytest.fixture(scope="module")
def walked(lab: Any) -> tuple[QuickCheck, list[Any]]:
    """Give a check that has seen the whole log, and rows that the quick way took."""
    _integrated(lab)
    with snapshot(lab) as conn:
        origin = conn.execute("select origin from ledger.log").fetchone()[0]
        entries = EntryCheck(Report(), origin, lambda kind, uid: None, lambda stream: stream)
        quick, taken = QuickCheck(entries), []
        for raw in raw_rows(conn):
            hashed = check_walk.sha256(b"\x00" + raw[9]).digest()
            if quick.take(raw, hashed):
                taken.append(raw)
            else:
                entries.add(Row.of(raw), hashed)
    assert not entries.report.findings
    return quick, taken


def test_the_quick_way_is_taken_by_entries_of_forms_met_before(walked: tuple[QuickCheck, list[Any]]) -> None:
    assert len(walked[1]) > 20


def _changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + ("1" if value.endswith("0") else "0")
    return value[:-1] + bytes([value[-1] ^ 1])


@pytest.mark.parametrize("column", [field.name for field in fields(Row)][3:])
def test_a_changed_column_never_passes_the_quick_way(
    walked: tuple[QuickCheck, list[Any]], column: str
) -> None:
    quick, taken = walked
    place = [field.name for field in fields(Row)].index(column)
    tried = 0
    for raw in taken:
        value = raw[place]
        if value is None or value == b"":
            continue
        changed = _changed(value)
        bad = (*raw[:place], changed, *raw[place + 1 :])
        # As if it came first in its place: only what is changed may decide.
        quick._entries.chains._heads.pop(raw[3].encode(), None)
        head = quick._follow
        quick._follow = lambda seen, hashed: True  # type: ignore[method-assign]
        try:
            hashed = check_walk.sha256(b"\x00" + bad[9]).digest()
            assert not quick.take(bad, hashed), column
            assert quick.take(raw, check_walk.sha256(b"\x00" + raw[9]).digest())
        finally:
            quick._follow = head  # type: ignore[method-assign]
        tried += 1
    assert tried or column == "about"
