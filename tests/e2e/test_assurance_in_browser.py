"""Trail, integrity, people and inspector mode in a real browser: looked at by axe, and pictures kept."""

from __future__ import annotations

import datetime as dt

import pytest

from fix_browser import Browse, accessible, shot
from fix_lab import LATER, TODAY, Lab


@pytest.fixture(scope="module")
def furnished(lab: Lab) -> Lab:
    """The laboratory with something to see: edits, a refusal, a review of access, an inspector."""
    sop = lab.new_sop("Reading the trail")
    lab.aurel.do(sop, "edit", why="The title was unclear to a reader.", title="Reading a trail")
    lab.n["edited"] = sop
    number = lab.aurel.create("access_review", title="Access, quarterly", period="2026-e2e", due_on=LATER)
    lab.aurel.do(number, "collect")
    lab.n["access"] = number
    last = (TODAY + dt.timedelta(days=14)).isoformat()
    fields = {"username": "iris", "printed_name": "Iris Inspector", "kind": "inspector", "valid_to": last}
    iris = lab.ada.create("user", email="iris@authority.example", **fields)
    lab.enrol(iris, "iris")
    check = [{"document_kind": "credentials", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(iris, "activate", sign=True, identity_check=check)
    lab.grant(iris, "INS", start=TODAY.isoformat(), end=last)
    lab.n["inspection"] = lab.quinn.create(
        "audit", title="Routine inspection", kind="authority", scope="Everything about the study.",
        area="Imaging", external_auditors=["Iris Inspector, the authority"], planned_on=TODAY.isoformat(),
    )  # fmt: skip
    lab.integrate()
    return lab


def test_the_trail_is_filtered_opened_and_looked_at(furnished: Lab, browse: Browse) -> None:
    page = browse("quinn")
    page.goto("/audit")
    accessible(page)
    shot(page, "audit")
    page.get_by_label("Record", exact=True).fill(f"{furnished.n['edited']}v1")
    page.get_by_label("Field", exact=True).fill("title")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**/audit?*field=title*")
    page.get_by_text("Reading the trail").first.wait_for()
    shot(page, "audit-filtered")
    page.locator("table a.idcell").first.click()
    page.get_by_role("heading", name="As it was written").wait_for()
    accessible(page)
    shot(page, "audit-entry")


def test_a_verification_is_begun_followed_and_seen_to_end(furnished: Lab, browse: Browse) -> None:
    page = browse("quinn")
    page.goto("/integrity")
    page.get_by_role("button", name="Verify now").click()
    ended = page.get_by_text("Show the new standing").or_(
        page.get_by_role("heading", name="No alteration found")
    )
    ended.wait_for(timeout=60_000)
    page.goto("/integrity")
    page.get_by_role("heading", name="No alteration found").wait_for()
    accessible(page)
    shot(page, "integrity")
    page.goto(f"/integrity/record/{furnished.n['edited']}v1")
    page.get_by_role("heading", name="Integrity verified").wait_for()
    accessible(page)
    shot(page, "integrity-record")
    page.goto("/integrity/gaps")
    accessible(page)
    page.goto("/work")
    accessible(page)
    shot(page, "work-health", full=False)
    page.goto(f"/r/{furnished.n['edited']}v1/record")
    shot(page, "record-seal", full=False)


def test_people_roles_devices_and_access_reviews_are_looked_at(furnished: Lab, browse: Browse) -> None:
    page = browse("ada")
    for name, address in (
        ("people", "/admin/people"),
        ("person", f"/admin/people/{furnished.number_of('rita')}"),
        ("roles", "/admin/roles"),
        ("devices", "/admin/devices"),
    ):
        page.goto(address)
        accessible(page)
        shot(page, name)
    page = browse("quinn")
    page.goto(f"/admin/access-review/{furnished.n['access']}")
    accessible(page)
    shot(page, "access-review")


def test_an_inspector_reads_under_the_band_and_writes_nothing(furnished: Lab, browse: Browse) -> None:
    quinn = browse("quinn")
    quinn.goto(f"/inspections/{furnished.n['inspection']}")
    quinn.get_by_label("What was asked").fill("Show the raw images of plate 1.")
    quinn.get_by_role("button", name="Record the request").click()
    quinn.get_by_text("Show the raw images of plate 1.").wait_for()
    accessible(quinn)
    shot(quinn, "inspection")
    page = browse("iris")
    page.goto("/work")
    page.get_by_text("Inspector view, read only.").wait_for()
    accessible(page)
    shot(page, "inspections")
    page.goto(f"/inspections/{furnished.n['inspection']}")
    assert page.get_by_role("button", name="Record the request").count() == 0
    page.goto(f"/r/{furnished.n['edited']}v1/record")
    accessible(page)
    shot(page, "inspector-record")
    page.goto(f"/inspections/opened/{furnished.number_of('iris')}")
    accessible(page)
    assert page.get_by_text(f"/r/{furnished.n['edited']}v1/record").count() == 1
