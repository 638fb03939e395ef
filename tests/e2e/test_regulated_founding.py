"""For regulated use, through the browser alone: founders verified, a record signed, a bundle that holds.

Nothing stands in for anything: PostgreSQL of the system, a time server that answers packets, a folder for
backups, and checkpoints on another file system than the installation's.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from fix_browser import PATIENCE_MS, _watch, accessible, watch
from fix_day import Desk
from fix_served import Served, serving
from fix_setup import PEOPLE, password_of
from fix_time import answer, time_server

FOUND_MS = 120_000
SCAN = b"%PDF-1.4 signed by hand: Q. Quality"
LETTER = {"signed_by": "Q. Quality", "addressee": "As named on the page of FDA", "sent_on": "2026-01-15"}
SITE = {
    "name": "Regulated site", "code": "RS", "address": "1 Slide Street", "tz": "America/New_York",
    "origin": "lab.example/regulated",
}  # fmt: skip


@contextmanager
def another_disk(home: Path) -> Iterator[Path]:
    """Lend a folder on another file system than a home's, as a mounted share of another machine is."""
    own = home.parent.stat().st_dev
    found = next((one for one in ("/dev/shm", "/tmp", "/var/tmp") if Path(one).stat().st_dev != own), None)
    assert found, "There is no second file system on this machine."
    with tempfile.TemporaryDirectory(dir=found) as folder:
        yield Path(folder)


@contextmanager
def person(browser: Browser, served: Served) -> Iterator[Page]:
    """Open a browser at the served address; nothing unseen may have gone wrong at the end."""
    context = browser.new_context(base_url=served.url.replace("127.0.0.1", "localhost"))
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    seen = _watch(page)
    try:
        yield page
    finally:
        context.close()
    assert seen.faults == []


def onward(page: Page, name: str = "Continue") -> None:
    """Press what leads on."""
    with page.expect_navigation():
        page.locator("main").get_by_role("button", name=name, exact=True).or_(
            page.locator("main").get_by_role("link", name=name, exact=True)
        ).click()


def answered_site(page: Page) -> None:
    page.get_by_role("radio", name=re.compile("^Regulated")).check()
    for name, value in SITE.items():
        page.fill(f"[name={name}]", value)
    page.get_by_label("FDA", exact=True).check()
    page.get_by_label("Regulated as").select_option("drug")
    onward(page)


def answered_people(page: Page) -> None:
    for n, one in enumerate(PEOPLE):
        page.fill(f'[name="name.{n}"]', one.name)
        page.fill(f'[name="username.{n}"]', one.username)
        page.fill(f'[name="email.{n}"]', one.email)
        for role in one.roles:
            page.check(f'[name="roles.{n}"][value={role}]')
    onward(page)


def enrolled_and_signed(page: Page) -> None:
    """Each founder takes the seat in turn, twice: chooses a password, then verifies another and signs."""
    for one in PEOPLE:
        page.locator("[name=password]").fill(password_of(one.username))
        page.locator("[name=again]").fill(password_of(one.username))
        onward(page, "Take this password")
    if "/keys" in page.url:
        onward(page)
    for one in PEOPLE:
        expect(page.get_by_text(f"Signing as {one.name}")).to_be_visible()
        page.fill("[name=document]", "passport, seen in person")
        page.fill("[name=username]", one.username)
        page.fill("[name=password]", password_of(one.username))
        onward(page, "Sign")
    if "/policy" in page.url:
        onward(page)


def sent_letter(page: Page) -> None:
    page.get_by_role("radio", name=re.compile("^It was sent")).check()
    for name, value in LETTER.items():
        page.fill(f"[name={name}]", value)
    page.get_by_label("On paper").check()
    page.set_input_files("[name=scan]", {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": SCAN})
    onward(page)


def signed_in(page: Page, username: str) -> Desk:
    page.goto("/sign-in")
    page.fill("#uid", username)
    page.fill("#pw", password_of(username))
    page.fill("#ws", f"ws-{username}")
    with page.expect_navigation():
        page.click(".signcard form button[type=submit]")
    assert page.url.endswith("/work"), page.locator("[role=alert]").all_inner_texts()
    return Desk(username, page, watch(page))


def kept(home: Path, checkpoints: Path, backups: Path, minutes: float = 4) -> None:
    """Wait until the installation has put a checkpoint elsewhere and made a first backup."""
    until = time.monotonic() + minutes * 60
    while not (checkpoints.is_file() and any(backups.rglob("manifest.json"))):
        log = (home / "logs" / "keeper.log").read_text("utf-8")
        assert time.monotonic() < until, (checkpoints.is_file(), log[-3000:])
        time.sleep(0.5)


def test_an_installation_for_regulated_use_is_founded_and_works_through_the_browser(
    new_home: Callable[[], Path], browser: Browser, tmp_path: Path
) -> None:
    home = new_home()
    backups = tmp_path / "backups"
    with (
        another_disk(home) as far,
        time_server(lambda question: [answer(question)]) as clock,
        time_server(lambda question: [answer(question, ahead_s=90)]) as wrong_clock,
        serving(home, tmp_path) as served,
        person(browser, served) as page,
    ):
        checkpoints = far / "checkpoints"
        code, _ = served.said(r"^set-up code: (\S+)$"), served.said(r"^set-up: (\S+)$")
        page.goto("/")
        page.fill("#code", code)
        onward(page, "Go on")
        answered_site(page)

        # What a regulated installation stands on is looked at, not taken as said.
        watch(page).expected.append("answer 422: POST .*/setup/keeping")
        asked = {
            "time_sources": f"sntp:127.0.0.1:{wrong_clock}", "backup_to": str(home / "backups"),
            "anchor_to": str(home.parent / "checkpoints"),
        }  # fmt: skip
        for name, value in asked.items():
            page.fill(f"[name={name}]", value)
        page.get_by_label("Folder on another machine").check()
        onward(page)
        expect(page.get_by_text("signs only by a clock that is right")).to_be_visible()
        expect(page.get_by_text("where this machine cannot change them")).to_be_visible()
        accessible(page, themes=("light",))
        page.fill("[name=time_sources]", f"sntp:127.0.0.1:{clock}")
        page.fill("[name=backup_to]", str(backups))
        page.fill("[name=keys_to]", str(far / "keys"))
        page.fill("[name=anchor_to]", str(checkpoints))
        onward(page)

        answered_people(page)
        enrolled_and_signed(page)
        sent_letter(page)
        expect(page.get_by_text("regulated, fixed for ever")).to_be_visible()
        assert not home.exists()
        page.set_default_timeout(FOUND_MS)
        onward(page, "Found this installation")
        expect(page.get_by_text("entries signed into the log")).to_be_visible()
        assert page.locator(".note.warn").count() == 0, page.locator(".note.warn").all_inner_texts()
        watch(page).expected += ["answer 503: GET .*/sign-in", "request failed: GET .*/sign-in"]
        onward(page, "Sign in")
        page.locator("#uid").wait_for()
        page.set_default_timeout(PATIENCE_MS)

        # One record signed by somebody who was verified at the founding, and what leaves with it.
        ada = signed_in(page, "ada")
        grant = ada.new(
            "role_grant", person="USR-0003", role="ROLE-MET", justification="Looks after the microscopes."
        )
        ada.leave()
        quinn = signed_in(page, "quinn")
        quinn.act(grant, "approve", sign=True)
        assert quinn.state(grant) == "active"
        letter = quinn.goto("/types/certification_letter")
        expect(letter.get_by_role("cell", name="2026-01-15", exact=True)).to_be_visible()
        kept(home, checkpoints, backups)
        # What the inspector holds is a checkpoint from before the bundle was made.
        held = tmp_path / "held"
        held.mkdir()
        shutil.copy(checkpoints, held)
        quinn.record(grant)
        with page.expect_download() as begun:
            page.get_by_role("button", name="Evidence bundle").click()
        bundle = tmp_path / "bundle.zip"
        begun.value.save_as(bundle)
        quinn.leave()
        said = verified(bundle, home / "keys.txt", held)
        assert said["verdict"] == "holds", said
        assert json.loads((home / "coverslip.json").read_text())["use"] == "regulated"
        assert SITE["origin"] in checkpoints.read_text("utf-8")


def verified(bundle: Path, keys: Path, anchors: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "coverslip.cli", "verify", str(bundle), "--keys", str(keys), "--json"]
    command += ["--anchors", str(anchors)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return dict(json.loads(done.stdout))
