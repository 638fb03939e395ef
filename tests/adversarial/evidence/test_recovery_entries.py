"""Recovery entries that nobody declared: written by whoever holds the admission key, named by every check."""

from __future__ import annotations

import io
from typing import Any

import pytest

from coverslip.bootstrap import wiring
from coverslip.kernel.change import Context
from coverslip.kernel.events import Event
from coverslip.kernel.rows import NIL
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import FINDING
from coverslip.verifier.verify import verify_stream
from fix_story import Cast, running

STATEMENT = {
    "v": 1, "log": "story.example/site1", "signed": {"size": 20, "root": "1" * 64},
    "found": {"size": 15, "root": "2" * 64}, "kept": {"size": 10, "root": "3" * 64},
    "lost": {"first": 10, "last": 19}, "reason": "Nothing was lost at all.", "declarers": [],
    "prepared_at": "2026-11-21T07:00:00.000000Z",
}  # fmt: skip
FORGED = {"statement": STATEMENT, "signatures": [], "signed_note": ""}


@pytest.mark.parametrize(
    ("detail", "word"),
    [
        (FORGED, "two people sign"),
        ({**FORGED, "statement": {**STATEMENT, "lost": {"first": 0, "last": 1}}}, "range"),
        ({"why": "because"}, "lacks"),
    ],
)  # fmt: skip
def test_an_entry_nobody_declared_is_named_by_ledger_and_bundle(
    copy: Any, named: Any, detail: dict[str, Any], word: str
) -> None:
    with running(copy.root) as client:
        with wiring.core(copy.home, size=1) as core:
            core.events.installation(Event("recovery", "recover", detail), Context(NIL, NIL, "none"))
        (vera,) = Cast(client)("vera")
        made = vera.ask("POST", "/records/SITE-01/export", json={})
    found = copy.verify()
    assert any(word in one for one in named(found, kind="recovery"))
    assert any("knows nothing of this recovery" in one for one in named(found, kind="recovery"))
    assert made.status_code == 200, made.text
    report = verify_stream(io.BytesIO(made.content), Trust.parse(copy.home.public_keys.read_bytes()))
    assert report.exit_code == FINDING
    assert any(word in one.message for one in report.findings) and report.notices == []
