"""How far the log has come, asked at the moment in which waiting entries are given their place."""

from __future__ import annotations

import io
from contextlib import closing
from typing import Any

import psycopg
import pytest

from coverslip.bootstrap.founding import sequencer_of
from fix_lab import Lab, refused


@pytest.fixture
def overtaken(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Once: just before it is counted what waits, let all of it be integrated, and nothing signed yet."""
    execute, done = psycopg.Cursor.execute, list[str]()
    lab.integrate()

    def meanwhile(cursor: Any, query: Any, *more: Any, **named: Any) -> Any:
        if not done and "not exists (select 1 from ledger.leaf" in str(query):
            done.append(str(query))
            with closing(sequencer_of(lab.home, lab.signer)) as sequencer:
                sequencer.step(sign=False)
        return execute(cursor, query, *more, **named)

    monkeypatch.setattr(psycopg.Cursor, "execute", meanwhile)
    return done


def test_what_is_given_its_place_meanwhile_is_counted_once(lab: Lab, overtaken: list[str]) -> None:
    lab.new_sop()
    total = lab.entries()
    found = lab.reading.status()
    assert overtaken and found["size"] + found["pending"] == total
    after = lab.reading.status()
    assert (after["size"], after["pending"]) == (total, 0)


def test_a_bundle_waits_for_what_was_given_its_place_meanwhile(lab: Lab, overtaken: list[str]) -> None:
    """Nobody signs here: a bundle of the checkpoint before would lack what it is asked for."""
    number = lab.new_sop()
    exporting = lab.services().exporting
    exporting.wait_s = 0.3
    with refused("UNAVAILABLE"):
        exporting.bundle(lab.row(number), lab.quinn.context, "", io.BytesIO())
    assert overtaken
    lab.integrate()
    written = exporting.bundle(lab.row(number), lab.quinn.context, "", io.BytesIO())
    assert written["tree_size"] == lab.entries() - 1, "all but the entry of this export"
