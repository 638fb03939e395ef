"""Entries with the writer's rights and without the admission key: kept out, named, and nothing built on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coverslip.api.app import create_app
from coverslip.bootstrap import checking
from coverslip.bootstrap.labs import lab
from fix_signing import signing
from fix_story import Cast, TestClient

WHY = "The title was missing."


def edit(copy: Any, title: str) -> Any:
    """Edit a user record through the interface, with the admission key the home has now; return the answer."""
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
