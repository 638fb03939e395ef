"""Whoever holds the export key leaves something out and signs the rest: a complete copy must not hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coverslip.exports.service import Exports
from coverslip.ledger import leaf
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import FINDING, HOLDS, Report
from coverslip.verifier.verify import verify_stream
from fix_story import Cast, running


@pytest.fixture
def export(copy: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    """Export a record without the bodies of entries that ``leave_out`` picks, and verify the bundle."""
    honest = Exports._bodies

    def give(number: str, leave_out: Callable[[leaf.Leaf], bool], **body: str) -> Report:
        def dishonest(self: Exports, uids: set[str], size: int, *more: Any) -> Iterator[Any]:
            picked = {
                index for index, data, _ in self._reading.stored(0, size) if leave_out(leaf.parse(data))
            }
            yield from (one for one in honest(self, uids, size, *more) if one[0] not in picked)

        monkeypatch.setattr(Exports, "_bodies", dishonest)
        with running(copy.root) as client:
            (vera,) = Cast(client)("vera")
            made = vera.ask("POST", f"/records/{number}/export", json=body)
        assert made.status_code == 200, made.text
        return verify_stream(io.BytesIO(made.content), Trust.parse(copy.home.public_keys.read_bytes()))

    return give


def test_an_honest_export_holds(copy: Any, export: Callable[..., Report]) -> None:
    report = export(copy.n["review"], lambda _: False)
    assert report.exit_code == HOLDS, report.text()


def test_a_refusal_left_out_of_a_complete_copy_is_found(copy: Any, export: Callable[..., Report]) -> None:
    """The analyst's attempt to start his own review is an entry about the review: it is part of its trail."""
    report = export(copy.n["review"], lambda one: one.type == "refusal")
    assert report.exit_code == FINDING
    assert any(one.record == copy.n["review"] and "missing" in one.message for one in report.findings)


def test_a_version_left_out_of_a_complete_copy_is_found(copy: Any, export: Callable[..., Report]) -> None:
    uid = copy.uid(copy.n["run"])
    report = export(copy.n["run"], lambda one: (one.record.id, one.record.ver) == (uid, 3))
    assert report.exit_code == FINDING
    assert any(one.record == copy.n["run"] for one in report.findings)


def test_a_filter_leaves_records_out_and_not_what_happened_to_those_it_keeps(
    copy: Any, export: Callable[..., Report]
) -> None:
    report = export(copy.n["review"], lambda one: one.type == "refusal", filter="RVC")
    assert report.incomplete and report.exit_code == FINDING
