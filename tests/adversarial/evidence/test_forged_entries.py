"""Entries with the writer's rights and without the admission key: kept out, named, nothing built on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from coverslip.api.app import create_app
from coverslip.bootstrap import checking
from coverslip.bootstrap.labs import lab
from coverslip.cli import main as coverslip
from fix_signing import signing
from fix_story import Cast, TestClient

WHY = "The title was missing."


def edit(copy: Any, title: str) -> Any:
    """Edit a user record through the interface, with the admission key the home has now."""
    with lab(copy.home) as opened:
        (ada,) = Cast(TestClient(create_app(opened.services())))("ada")
        return ada.do(copy.n["alan"], "edit", why=WHY, job_title=title)


@contextmanager
def false_key(copy: Any) -> Iterator[None]:
    path = copy.home.secret("admission.key")
    true = path.read_text("ascii")
    path.write_text("00" * 32 + "\n", "ascii")
    try:
        yield
    finally:
        path.write_text(true, "ascii")


def test_nothing_is_built_on_a_forged_version_once_the_sequencer_has_seen_it(copy: Any, named: Any) -> None:
    with signing(copy) as step:
        with false_key(copy):
            assert edit(copy, "Forged").status_code == 200
        step()
        refused = edit(copy, "Honest")
        assert (refused.status_code, refused.json()["code"]) == (409, "EVIDENCE")
        assert copy.n["alan"] in refused.json()["message"]
        step()
    version = copy.ask("select max(version) from ledger.entry where record_id = %s", copy.uid(copy.n["alan"]))
    assert named(copy.verify(), kind="entry", record=copy.n["alan"], version=version[0][0])
    assert named(copy.replay(), record=copy.n["alan"], field="content.fields.job_title")
    status = checking.ledger_status(copy.root)
    assert status["alarms"] >= 1 and copy.n["alan"] in status["blocked"]


def test_other_records_go_on(copy: Any) -> None:
    with signing(copy) as step:
        with false_key(copy):
            edit(copy, "Forged")
        step()
        with lab(copy.home) as opened:
            (quinn,) = Cast(TestClient(create_app(opened.services())))("quinn")
            quinn.must(copy.n["hold"], "lift", sign=True, why="Nothing was wrong with it after all.")
        assert step().integrated


def test_a_version_that_came_before_the_sequencer_looked_is_named_with_the_forged_one(
    copy: Any, named: Any
) -> None:
    """Within the fifth of a second before the alarm, an honest edit carries the forger's title on."""
    with signing(copy) as step:
        with false_key(copy):
            edit(copy, "Forged")
        assert edit(copy, "Honest").status_code == 200
        step()
        assert edit(copy, "Later").status_code == 409
        step()
    newest = copy.entry(copy.n["alan"])[2]
    assert named(copy.verify(), kind="entry", record=copy.n["alan"], version=newest - 1)
    assert named(copy.verify(), kind="chain", record=copy.n["alan"], version=newest)
    assert named(copy.replay(), kind="chain", record=copy.n["alan"], version=newest)


def test_without_a_forged_entry_nothing_is_refused_or_found(copy: Any) -> None:
    with signing(copy) as step:
        assert edit(copy, "Once").status_code == 200
        step()
        assert edit(copy, "Twice").status_code == 200
        step()
    assert copy.verify() == [] and copy.replay() == []
    status = checking.ledger_status(copy.root)
    assert (status["alarms"], status["blocked"]) == (0, "")


def test_an_entry_let_in_with_the_sequencers_and_signers_rights_is_named(copy: Any, named: Any) -> None:
    """The sequencer is replaced by one that asks for another tag: tree and signature hold."""
    with false_key(copy), signing(copy) as step:
        assert edit(copy, "Minted").status_code == 200
        assert step().integrated
    found = copy.verify()
    version = copy.ask("select max(version) from ledger.entry where record_id = %s", copy.uid(copy.n["alan"]))
    (one, *_) = named(found, kind="entry", record=copy.n["alan"], version=version[0][0])
    assert "admission tag is not the application's" in one


def test_a_tag_taken_from_another_entry_is_named(copy: Any, named: Any) -> None:
    entry, index, version = copy.entry(copy.n["release"])
    copy.attack(
        f"update ledger.entry set admit = (select admit from ledger.entry where id = {entry} - 1)"
        f" where id = {entry}"
    )
    assert named(copy.verify(), kind="entry", index=index, version=version)


def test_entries_that_came_through_the_application_pass_and_are_counted(copy: Any) -> None:
    found, counts = checking.ledger_verify(copy.root)
    assert found == [] and counts["admissions"] == counts["entries"] > 100


def test_without_the_key_the_tags_could_not_be_determined(
    copy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    key = copy.home.secret("admission.key")
    text = key.read_text("ascii")
    key.unlink()
    try:
        found, counts = checking.ledger_verify(copy.root)
        code = coverslip(["ledger", "verify", "--home", str(copy.root)])
    finally:
        key.write_text(text, "ascii")
        key.chmod(0o600)
    assert found == [] and counts["admissions"] == 0 and counts["admissions_unchecked"] == 1
    assert code == 3 and "NOT CHECKED 1 admissions unchecked" in capsys.readouterr().out
