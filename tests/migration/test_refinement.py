"""A refined type through restarts and releases: its records verify and replay, and it never slips back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import fix_lab
import fix_story
from coverslip.bootstrap import checking, migrating, wiring
from coverslip.errors import EnvironmentFault
from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue
from coverslip.ledger import canonical
from coverslip.records import all_types
from coverslip.settings import Home
from coverslip.store.definitions import told
from coverslip.verifier.cli import main as verify

KIND = "document_sop"
STEPS = [
    {"word": "add_field", "name": "site_shelf", "kind": {"word": "Text", "max_length": 20}, "label": "Shelf",
     "required_at": ["in_review"]},
    {"word": "add_guard", "act": "submit",
     "guard": {"word": "Compare", "path": ["change_summary"], "op": "ne", "value": "none",
               "message": "A summary that says something is needed."}},
]  # fmt: skip


@pytest.fixture
def home(founded_stopped: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A stopped installation with one procedure made before and one made under a refinement of the type."""
    monkeypatch.setattr(fix_story, "ORIGIN", fix_lab.ORIGIN)
    with fix_story.running(founded_stopped.root) as client:
        aurel, quinn = fix_story.Person(client, "aurel"), fix_story.Person(client, "quinn")
        certify(quinn)
        before = aurel.new(KIND, **sop())
        number = aurel.new(
            "refinement", title="Shelves", record_type=KIND, patch={"steps": STEPS}, rationale="To find it.",
            migration_note="Drafts are given a shelf.", test_evidence="Tried elsewhere.",
        )  # fmt: skip
        aurel.must(number, "submit", sign=True)
        quinn.must(number, "approve", sign=True)
        under = aurel.new(KIND, **sop(site_shelf="B 4"))
        aurel.must(under, "submit", sign=True)
        assert aurel.do(before, "submit", sign=True).json()["code"] == "VAL_REQ"
        for name in (before, under):
            made = quinn.ask("POST", f"/records/{name}/export", json={})
            assert made.status_code == 200, made.text
            (founded_stopped.root / f"{name}.zip").write_bytes(made.content)
    return founded_stopped


def certify(quinn: fix_story.Person) -> None:
    """Record the letter without which nobody signs here."""
    pdf = {"content": b"%PDF-1.4 scan", "headers": {"content-type": "application/pdf"}}
    scan = quinn.ask("PUT", "/attachments/letter.pdf/files", **pdf).json()
    today = fix_lab.TODAY.isoformat()
    letter = quinn.new(
        "certification_letter", organisation="Lab", sites=["SITE-01"], statement="Our signatures bind.",
        signed_by="Q", addressee="FDA", channel="electronic", covers_from=today,
    )  # fmt: skip
    quinn.must(letter, "sign_on_paper", handwritten_scan=scan)
    quinn.must(letter, "send", sent_on=today)


def sop(**more: Any) -> dict[str, Any]:
    return {
        "title": "Counting nuclei", "criticality": "gxp_critical", "body": "1. Image. 2. Count.",
        "change_summary": "First version.", "training_depth": "read_understood", "audience": [],
        "effective_date": fix_lab.TODAY.isoformat(),
    } | more  # fmt: skip


def holds(home: Home) -> None:
    """Assert that verification and replay find nothing."""
    for check in (checking.ledger_verify, checking.ledger_replay):
        findings, counts = check(home.root)
        assert findings == [] and any(counts.values()), (check.__name__, findings[:3])


def current(home: Home) -> None:
    with wiring.database(home):
        migrating.require_current(home)


def later(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Catalogue:
    """Let this program be a later release, in which the type is declared otherwise."""
    types = [msgspec.structs.replace(t, **changes) if t.name == KIND else t for t in all_types()]
    found = Catalogue(types)
    monkeypatch.setattr(wiring, "catalogue", lambda *_: found)
    return found


def shipped() -> w.Type:
    return next(t for t in all_types() if t.name == KIND)


def on_log(home: Home) -> list[tuple[str, str, int]]:
    """Return (hash, shipped hash, version) of every definition of the type on the log."""
    with wiring.database(home), wiring.connection(home, "cs_verifier") as conn:
        return [
            (one.hash, one.shipped, canonical.decode(one.canonical)["type"]["version"])
            for one in told(conn).definitions
            if one.type == KIND
        ]


def test_everything_made_before_and_under_it_verifies_replays_and_is_served_again(
    home: Home, capsys: Any
) -> None:
    holds(home)
    current(home)
    assert [version for *_, version in on_log(home)] == [shipped().version, shipped().version + 1]
    bundles = sorted(home.root.glob("SOP-*.zip"))
    assert len(bundles) == 2
    for bundle in bundles:
        assert verify([str(bundle), "--keys", str(home.public_keys)]) == 0, capsys.readouterr().out
    with fix_story.running(home.root) as client:
        aurel = fix_story.Person(client, "aurel")
        shown = aurel.ask("GET", f"/types/{KIND}").json()
        assert shown["definition"] != shown["shipped"]
        assert [one["number"] for one in shown["refinements"]] == ["RFN-0001"]
        assert "adds the field site_shelf “Shelf”" in shown["refinements"][0]["effect"][0]


def test_a_later_release_is_refined_in_its_turn_and_old_records_stay_what_they_were(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, title="Procedure", version=shipped().version + 1, migration_note="Called so now.")
    with pytest.raises(EnvironmentFault, match=f"definition of {KIND}"):
        current(home)
    assert migrating.migrate(home.root).defined == (KIND,)
    current(home)
    assert migrating.migrate(home.root).entries == 0
    with fix_story.running(home.root) as client:
        aurel = fix_story.Person(client, "aurel")

        def view(number: str) -> str:
            return str(aurel.ask("GET", f"/records/{number}/view").json()["text"])

        def shelf(text: str) -> str:
            return next(line.partition("│")[2].strip() for line in text.splitlines() if line[:6] == "Shelf ")

        before, under = (path.stem for path in sorted(home.root.glob("SOP-*.zip")))
        assert "\nProcedure\n" not in view(before) and shelf(view(under)) == "B 4"
        aurel.must(before, "edit", why="The shelf is asked for now.", site_shelf="C 1")
        assert "\nProcedure\n" in view(before) and shelf(view(before)) == "C 1"
        aurel.must(before, "submit", sign=True)
    assert [version for *_, version in on_log(home)] == [shipped().version + n for n in range(3)]
    holds(home)


def test_a_release_that_a_refinement_no_longer_fits_is_refused_and_named_with_every_problem(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {n: f for n, f in shipped().fields.items() if n != "change_summary"}
    fields["site_shelf"] = w.Field(w.Text(), "Shelf, as shipped now")
    later(monkeypatch, fields=fields, version=shipped().version + 1, migration_note="Less to fill in.")
    before = on_log(home)
    for act in (lambda: migrating.migrate(home.root), lambda: current(home)):
        with pytest.raises(EnvironmentFault) as caught:
            act()
        assert "RFN-0001: step 1 (add_field): 'site_shelf' is there already" in str(caught.value)
        assert "change_summary' leads to no field" in str(caught.value)
    assert on_log(home) == before


@pytest.mark.parametrize("withdrawn", [False, True])
def test_a_program_older_than_the_log_does_not_serve_whatever_was_refined_or_withdrawn_since(
    home: Home, monkeypatch: pytest.MonkeyPatch, withdrawn: bool
) -> None:
    with monkeypatch.context() as patch:
        later(patch, title="Procedure", version=shipped().version + 1, migration_note="Called so now.")
        migrating.migrate(home.root)
        if withdrawn:
            with fix_story.running(home.root) as client:
                quinn = fix_story.Person(client, "quinn")
                quinn.must("RFN-0001", "withdraw", sign=True, why="Shelves are no longer used here at all.")
        current(home)
    for act in (lambda: migrating.migrate(home.root), lambda: current(home)):
        with pytest.raises(EnvironmentFault, match="nothing later than this release"):
            act()


def test_a_refinement_that_stands_in_no_entry_is_neither_served_nor_passed_by_replay(home: Home) -> None:
    with wiring.database(home), wiring.connection(home, "cs_superuser") as conn:
        conn.execute(
            "update projection.authority set data = jsonb_set(data, '{patch}',"
            """ '{"steps": [{"word": "raise_reason", "act": "edit", "minimum": 44}]}')"""
            " where kind = 'refines'"
        )
        with pytest.raises(EnvironmentFault, match=f"definition of {KIND}"):
            migrating.require_current(home)
    findings, _ = checking.ledger_replay(home.root)
    assert any("refines" in str(one) for one in findings)


def test_a_bundle_without_the_refined_definition_does_not_verify(home: Home, tmp_path: Path) -> None:
    bundle = max(home.root.glob("SOP-*.zip"))
    data = bytearray(bundle.read_bytes())
    at = data.find(b"site_shelf")
    assert at > 0, "bodies are stored as they are"
    data[at : at + 4] = b"sitf"
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(bytes(data))
    assert verify([str(damaged), "--keys", str(home.public_keys)]) == 1
