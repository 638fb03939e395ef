"""Heads: what was the newest version of every record, and what a copy or a ledger without it looks like."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coverslip.bootstrap import completing
from coverslip.exports.service import Exports
from coverslip.ledger import leaf
from coverslip.store.heads import HeadsReading
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import FINDING, HOLDS, Report
from coverslip.verifier.verify import verify_stream
from fix_story import Cast, running


@pytest.fixture
def export(copy: Any) -> Callable[[str], Report]:
    def give(number: str) -> Report:
        with running(copy.root) as client:
            (vera,) = Cast(client)("vera")
            made = vera.ask("POST", f"/records/{number}/export", json={})
        assert made.status_code == 200, made.text
        return verify_stream(io.BytesIO(made.content), Trust.parse(copy.home.public_keys.read_bytes()))

    return give


def entered(copy: Any) -> dict[str, Any]:
    with running(copy.root):
        return completing.ledger_heads(copy.root)


def test_heads_are_entered_recomputed_and_hold(copy: Any, export: Callable[[str], Report]) -> None:
    before = copy.ask("select count(*) from projection.record")[0][0]
    made = entered(copy)
    assert made["count"] == before
    assert copy.verify() == [] and copy.replay() == []
    report = export(copy.n["run"])
    assert report.exit_code == HOLDS, report.text()
    assert any("The heads entry" in one and "newest versions" in one for one in report.holds)
    assert any("The heads say nothing of entries from index" in one for one in report.not_proven)


def test_without_heads_the_copy_says_so(copy: Any, export: Callable[[str], Report]) -> None:
    report = export(copy.n["run"])
    assert report.exit_code == HOLDS
    assert any("No heads entry is on this log" in one for one in report.not_proven)


def test_heads_that_leave_a_version_out_are_named_by_verify(
    copy: Any, named: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keeper that lies: its entry is well made and integrated, and the entries say otherwise."""
    honest = HeadsReading.now

    def lying(self: HeadsReading) -> Any:
        found = honest(self)
        return type(found)(found.tree_size, found.count - 1, found.root)

    monkeypatch.setattr(HeadsReading, "now", lying)
    entered(copy)
    (one,) = named(copy.verify(), kind="heads", field="detail.root")
    assert "a version was left out" in one


def test_a_copy_without_the_newest_version_the_heads_cover_is_rejected(
    copy: Any, export: Callable[[str], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(copy)
    uid, version = copy.uid(copy.n["run"]), copy.entry(copy.n["run"])[2]
    honest = Exports._bodies

    def dishonest(self: Exports, uids: set[str], size: int, *more: Any) -> Iterator[Any]:
        left_out = {
            index for index, data, _ in self._reading.stored(0, size)
            if (one := leaf.parse(data).record).id == uid and one.ver == version
        }  # fmt: skip
        yield from (one for one in honest(self, uids, size, *more) if one[0] not in left_out)

    monkeypatch.setattr(Exports, "_bodies", dishonest)
    report = export(copy.n["run"])
    assert report.exit_code == FINDING
    assert any(one.record == copy.n["run"] for one in report.findings)


def test_proofs_of_heads_left_out_of_a_copy_are_missed(
    copy: Any, export: Callable[[str], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(copy)
    honest = Exports._newest_heads
    monkeypatch.setattr(Exports, "_newest_heads", lambda self, size, uids: (honest(self, size, uids)[0], {}))
    report = export(copy.n["run"])
    assert report.exit_code == FINDING
    assert any(one.part == "heads.json" and "no proofs" in one.message for one in report.findings)


def test_the_proof_of_one_record_left_out_is_named_with_the_record(
    copy: Any, export: Callable[[str], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(copy)
    uid, honest = copy.uid(copy.n["run"]), HeadsReading.proofs

    def without(self: HeadsReading, size: int, wanted: Any) -> Any:
        return honest(self, size, set(wanted) - {uid})

    monkeypatch.setattr(HeadsReading, "proofs", without)
    report = export(copy.n["run"])
    assert report.exit_code == FINDING
    assert any(one.part == "heads.json" and one.record == copy.n["run"] for one in report.findings)


def test_a_ledger_altered_afterwards_no_longer_leads_to_the_heads_entered(copy: Any, named: Any) -> None:
    entered(copy)
    copy.attack(
        "update ledger.entry set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"act\":\"',"
        " '\"act\":\"x'), 'UTF8') where id = %s", values=(copy.entry(copy.n["image1"])[0],),
    )  # fmt: skip
    found = completing.ledger_heads_newest(copy.root)
    assert found is not None and found["root"] != completing.ledger_heads_now(copy.root)["root"]
    assert named(copy.verify(), kind="heads", index=found["index"])
