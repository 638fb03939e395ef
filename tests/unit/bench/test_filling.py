"""The long ledger that is measured is a ledger: it verifies, and damage to it is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
from bench import longledger
from bench.filling import Filler, checked
from bench.verifier import hash_log, write

from coverslip.store.signer import read_journal
from coverslip.store.verify import verify_ledger
from coverslip.verifier.keys import Trust
from coverslip.verifier.verify import verify_stream


class _Founded:
    """Remembers the founding only: what other tests of this worker had signed is not of this copy."""

    def __init__(self, lab: Any) -> None:
        self.vkey = lab.signer.vkey
        self._first = read_journal(lab.home.signer / "journal")[0]

    def last(self) -> Any:
        return self._first


def _findings(lab: Any) -> list[str]:
    with psycopg.connect(**lab.cluster.dsn("cs_verifier")) as conn:
        report = verify_ledger(conn, [], [], [lab.signer.vkey()])
    return [one.sentence() for one in report.findings if one.kind != "checkpoint"]


def test_entries_made_in_bulk_verify_like_those_of_the_door(lab: Any) -> None:
    lab = replace(lab, signer=_Founded(lab))
    filler, before = Filler(lab), lab.entries()
    filler.fill(550)
    count, seconds = filler.integrate(sign=False)
    checked(lab)
    assert lab.entries() == before + 550
    assert count >= 550
    assert seconds > 0
    assert len(filler.uids) == 50
    assert len(lab.reading.history(filler.uids[-1])) == 11
    assert longledger.trail(lab, filler.uids) > 0
    assert _findings(lab) == []
    # The same again goes on where the last one stopped.
    filler.fill(110)
    filler.integrate(sign=False)
    assert _findings(lab) == []


def test_a_bundle_made_long_holds_and_one_leaf_changed_does_not(tmp_path: Any) -> None:
    path = tmp_path / "bundle.zip"
    keys, root = write(path, 500)
    trust = Trust.parse(keys.encode())
    with path.open("rb") as stream:
        assert verify_stream(stream, trust, name="b").exit_code == 0
    assert hash_log(path, root) >= 0
    data = bytearray(path.read_bytes())
    place = data.rindex(b'"prev":"') + 8
    data[place] = ord("0") if data[place] != ord("0") else ord("1")
    path.write_bytes(data)
    with path.open("rb") as stream:
        assert verify_stream(stream, trust, name="b").exit_code == 1
