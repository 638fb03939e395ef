"""Without a mouse, without scripts, and on paper: the same work in a real browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Page

from fix_browser import Browse, accessible, by_keyboard, expecting, reach, shot
from fix_lab import Lab, secret_of


def _signed_in_by_keyboard(page: Page, username: str) -> None:
    page.goto("/sign-in")
    by_keyboard(page, "#uid", "", text=username)
    by_keyboard(page, "#pw", "", text=secret_of(username))
    by_keyboard(page, "#ws", "", text=f"ws-{username}")
    by_keyboard(page, ".signcard form button[type=submit]")
    page.wait_for_url("**/work")


def _focused(page: Page) -> str:
    return str(page.evaluate("() => document.activeElement.textContent.trim()"))


def test_a_release_is_signed_with_the_keyboard_alone(lab: Lab, browse: Browse) -> None:
    _, release = lab.new_release()
    page = browse()
    _signed_in_by_keyboard(page, "quinn")
    page.goto("/documents")
    page.keyboard.press("g")
    page.keyboard.press("w")
    page.wait_for_url("**/work")
    page.keyboard.press("j")
    first = _focused(page)
    for _ in range(60):
        if release in _focused(page):
            break
        page.keyboard.press("j")
    assert release in _focused(page), "j goes through every row"
    if release != first:
        page.keyboard.press("k")
        assert release not in _focused(page), "k goes back"
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/r/{release}")
    by_keyboard(page, 'main a[href$="/do/release"]')
    page.wait_for_url("**/do/release")
    accessible(page)
    by_keyboard(page, "#u", "", text="quinn")
    by_keyboard(page, "#p", "", text=secret_of("quinn"))
    reach(page, "form[data-ceremony] button.primary")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/r/{release}?done=*")
    assert lab.row(release).state == "released"


def test_keys_typed_into_a_field_go_nowhere(lab: Lab, browse: Browse) -> None:
    page = browse("quinn")
    page.goto("/documents")
    page.fill("#find", "")
    page.focus("#find")
    page.keyboard.type("gw jk")
    page.wait_for_timeout(300)
    assert page.url.endswith("/documents")
    assert page.input_value("#find") == "gw jk"


def test_a_release_is_signed_without_scripts(lab: Lab, browse: Browse) -> None:
    _, release = lab.new_release()
    page = browse(java_script_enabled=False)
    expecting(page, "answer 403: POST .*/do/release", "answer 40[01]: POST .*/do/release")
    page.goto("/work")
    page.fill("#uid", "quinn")
    page.fill("#pw", secret_of("quinn"))
    page.fill("#ws", "ws-quinn")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator("main a.idcell", has_text=release).first.click()
    page.locator('main a[href$="/do/release"]').first.click()
    assert release in page.locator("article.printed").inner_text(), "what is signed is shown as it prints"
    page.fill("#u", "quinn")
    page.fill("#p", "not her password at all")
    page.locator("form[data-ceremony] button.primary").click()
    page.locator("main [role=alert]:visible").first.wait_for()
    assert lab.row(release).state == "proposed", "a wrong password signs nothing"
    page.fill("#u", "quinn")
    page.fill("#p", secret_of("quinn"))
    page.locator("form[data-ceremony] button.primary").click()
    page.get_by_text("released").first.wait_for()
    assert lab.row(release).state == "released"
    page.goto(f"/r/{release}/signatures")
    assert "Quinn Quality" in page.locator("main").inner_text()


def _printed(page: Page, path: Path) -> list[str]:
    """Return the text of every page of what the browser prints."""
    program = shutil.which("pdftotext")
    assert program, "No pdftotext on this machine: run 'make system', or apt-get install poppler-utils."
    page.pdf(path=path, format="A4", print_background=True)
    done = subprocess.run(
        [program, "-layout", str(path), "-"], capture_output=True, text=True, check=True, timeout=60
    )
    return [one for one in done.stdout.split("\f") if one.strip()]


def test_every_printed_page_of_a_signed_record_carries_who_signed_it_when_and_as_what(
    lab: Lab, browse: Browse, tmp_path: Path
) -> None:
    sop = lab.new_sop("A long procedure", body="\n\n".join(f"{n}. Look at the well." for n in range(1, 220)))
    lab.approve_sop(sop)
    page = browse("quinn")
    page.goto(f"/r/{sop}v1/print")
    sheets = _printed(page, tmp_path / "signed.pdf")
    assert len(sheets) > 2
    for number, sheet in enumerate(sheets, 1):
        for said in (f"{sop} v1", "Signed", "approved", "Quinn Quality", "Uncontrolled print"):
            assert said in sheet, f"page {number} of {len(sheets)} lacks {said}:\n{sheet}"


def test_an_unsigned_record_cannot_pass_for_a_signed_one_on_paper(
    lab: Lab, browse: Browse, tmp_path: Path
) -> None:
    sop = lab.new_sop("A draft")
    page = browse("quinn")
    page.goto(f"/r/{sop}v1/print")
    sheets = _printed(page, tmp_path / "draft.pdf")
    assert all("Not signed." in sheet for sheet in sheets)
    shot(page, "print-draft")
