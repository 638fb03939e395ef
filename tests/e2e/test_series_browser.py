"""A series in a real browser: somebody who has a passkey and no password signs record after record."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from coverslip.bootstrap.labs import lab as open_lab
from coverslip.kernel.passkeys import Party
from coverslip.verifier.cli import main as verify
from fix_browser import Authenticator, Browse, Served, accessible, by_keyboard, expecting, shot
from fix_lab import Lab, Person, secret_of
from fix_passkey import verified, without_password

SERIES = "/series?type=document_sop&act=submit"


@pytest.fixture
def at_home(served: Served) -> Iterator[Lab]:
    """The laboratory, which makes passkeys for the address it is served at."""
    ring = served.lab.identity.ring
    before, ring.party = ring.party, Party.of(served.url)
    yield served.lab
    ring.party = before


def sop(author: Person, title: str) -> str:
    return author.create(
        "document_sop", title=title, criticality="gxp", body="1. Count.", change_summary="First.",
        training_depth="none", audience=[], effective_date="2099-01-01",
    )  # fmt: skip


def added(page: Page, name: str) -> None:
    """Add a passkey with the password, for the last time it is used."""
    page.goto("/me/credentials")
    form = page.locator("form[data-passkey-add]")
    form.get_by_label("User ID").fill(name)
    form.get_by_label("Password").fill(secret_of(name))
    form.get_by_label("Name for it").fill("Drawer")
    form.get_by_role("button", name="Add passkey", exact=True).click()
    expect(page.get_by_text("Waits for verification")).to_be_visible()


def only_a_passkey(lab: Lab, browse: Browse, name: str) -> tuple[Person, Page, Authenticator]:
    """Return an author who has a passkey and no password any more, signed in, with their page."""
    number = lab.invite(name, name.capitalize(), ("AUT",))
    author, page = lab.person(name), browse(name)
    passkey = Authenticator(page)
    # Chromium asks for RSA keys to be offered too; the offline verifier checks P-256 alone.
    expecting(page, "pubKeyCredParams")
    added(page, name)
    verified(lab, number)
    without_password(lab, author)
    # A record that begins signed: it is shown first, and its form takes the passkey, too.
    page.goto(f"/types/esign_acknowledgement/new?f.person={number}&f.policy=POL-0001")
    page.locator("#f-statement").fill("I have read it.")
    page.get_by_role("button", name="Show what I will sign").click()
    page.get_by_role("button", name=re.compile("Sign with passkey")).click()
    page.wait_for_url(re.compile("/r/"))
    return author, page, passkey


def row(page: Page, number: str) -> Any:
    return page.locator(f'[data-item="{number}v1"]')


def states(lab: Lab, numbers: list[str]) -> list[str]:
    return [lab.row(number).state for number in numbers]


def test_a_person_without_password_signs_a_series_stops_and_goes_on(
    at_home: Lab, browse: Browse, tmp_path: Path
) -> None:
    lab = at_home
    author, page, passkey = only_a_passkey(lab, browse, "wanda")
    # As the page lists them: the newest first.
    numbers = [sop(author, f"Counting nuclei, part {n}") for n in range(1, 7)][::-1]
    stale = numbers[3]
    expecting(page, "answer 409: POST .*/series/passkey")
    asked: list[str] = []

    def third(route: Route) -> None:
        asked.append(route.request.url)
        passkey.touched(len(asked) != 3)
        route.continue_()

    page.route("**/series/passkey?*", third)
    page.goto("/work")
    accessible(page)
    page.get_by_role("link", name="Submit for review: SOP (6)").click()
    page.wait_for_url(f"**{SERIES}")
    accessible(page)
    shot(page, "series")
    by_keyboard(page, "[data-sign-passkey]", "Enter")
    expect(page.locator("[data-alert]")).to_contain_text("Confirm at least one record first")
    for number in numbers:
        by_keyboard(page, f'[name=confirm][value="{number}v1"]', "Space")
    expect(page.locator("[data-confirmed]")).to_have_text("6 of 6 confirmed")
    # Somebody changes the fourth while the page is open.
    author.do(stale, "edit", why="A word of the title was wrong.", title="Counting nuclei, otherwise")

    by_keyboard(page, "[data-sign-passkey]", "Enter")
    expect(row(page, numbers[2])).to_contain_text("Use your passkey")
    expect(page.locator("[data-now-title]")).to_have_text("Signing 3 of 6")
    accessible(page)
    shot(page, "series-asked")
    assert page.evaluate("() => document.activeElement.matches('[data-stop]')")
    page.keyboard.press("Enter")
    expect(page.locator("[data-now-title]")).to_have_text("2 of 6 signed")
    expect(page.locator("[data-says]")).to_contain_text("You stopped here. 4 records are left.")
    assert states(lab, numbers) == ["in_review"] * 2 + ["draft"] * 4

    passkey.touched(True)
    by_keyboard(page, "[data-sign-passkey]", "Enter")
    expect(page.locator("[data-now-title]")).to_have_text("3 of 4 signed", timeout=20_000)
    expect(page.locator("[data-says]")).to_contain_text("1 record was refused")
    expect(row(page, stale)).to_contain_text(f"{stale} v1 changed at")
    accessible(page)
    shot(page, "series-done")
    assert states(lab, numbers) == ["in_review"] * 3 + ["draft"] + ["in_review"] * 2

    page.get_by_role("link", name="Show what waits now").click()
    expect(page.locator("[data-item]")).to_have_count(1)
    page.locator(f'[name=confirm][value="{stale}v1"]').check()
    page.get_by_role("button", name=re.compile("Sign each with passkey")).click()
    expect(page.locator("[data-now-title]")).to_have_text("1 of 1 signed")
    made = [lab.history(number)[-1]["sections"]["signature"] for number in numbers]
    assert {one["scheme"] for one in made} == {"webauthn-p256"}
    assert len({one["client_data"] for one in made}) == len(numbers)
    holds(lab, stale, tmp_path)


def test_a_passkey_adds_another_and_is_tested_without_any_password(at_home: Lab, browse: Browse) -> None:
    lab = at_home
    person, page, passkey = only_a_passkey(lab, browse, "wibke")
    page.goto("/me/credentials")
    accessible(page)
    shot(page, "credentials-with-passkey")
    page.get_by_role("button", name="Test a passkey").click()
    expect(page.get_by_text("Your passkey answered.")).to_be_visible()
    page.get_by_role("button", name="Show it with your passkey").click()
    expect(page.get_by_text("Scan this with your app")).to_be_visible()

    second = Authenticator(page, transport="usb")
    second.touched(False)

    def first_steps_back(route: Route) -> None:
        passkey.touched(False)
        second.touched(True)
        route.continue_()

    page.route("**/me/credentials/passkeys/begin", first_steps_back)
    page.goto("/me/credentials")
    page.get_by_label("Name for it").fill("Key ring")
    page.get_by_role("button", name="Add with the passkey you have").click()
    expect(page.get_by_text("Waits for verification")).to_be_visible()
    assert len(lab.identity.ring.told(person.uid)) == 2
    ada = browse("aurel")
    ada.goto(f"/admin/people/{lab.number_of('wibke')}")
    accessible(ada)
    shot(ada, "person-with-passkeys")


def holds(lab: Lab, number: str, folder: Path) -> None:
    """Let the verifier judge the bundle of a record without the installation."""
    out, target = io.BytesIO(), folder / "copy.zip"
    lab.integrate()
    with open_lab(lab.home) as opened:
        opened.exports().bundle(lab.row(number), lab.quinn.context, "", out)
    target.write_bytes(out.getvalue())
    assert verify([str(target), "--keys", str(lab.home.public_keys)]) == 0


def test_a_passkey_that_is_declined_signs_nothing_and_leaves_the_rest(at_home: Lab, browse: Browse) -> None:
    lab = at_home
    author, page, passkey = only_a_passkey(lab, browse, "wilma")
    numbers = [sop(author, f"Looking at cells, part {n}") for n in range(1, 4)]
    page.goto(SERIES)
    for number in numbers:
        page.locator(f'[name=confirm][value="{number}v1"]').check()
    passkey.verify(False)
    page.get_by_role("button", name=re.compile("Sign each with passkey")).click()
    expect(page.locator("[data-now-title]")).to_have_text("0 of 3 signed")
    expect(page.locator("[data-says]")).to_contain_text("The passkey was not used")
    assert states(lab, numbers) == ["draft"] * 3
    passkey.verify(True)
    # The server was started again between what it prepared and the answer: said so, and nothing is lost.
    page.route("**/series/one?*", lambda route: (lab.door._waiting.__init__(), route.continue_()), times=1)  # type: ignore[misc]
    expecting(page, "answer 401: POST .*/series/one")
    page.get_by_role("button", name=re.compile("Sign each with passkey")).click()
    expect(page.locator("[data-says]")).to_contain_text("no longer prepared")
    expect(page.locator("[data-says]")).to_contain_text("3 records are left")
    page.get_by_role("button", name=re.compile("Sign each with passkey")).click()
    expect(page.locator("[data-now-title]")).to_have_text("3 of 3 signed")
    assert states(lab, numbers) == ["in_review"] * 3


def test_a_series_by_password_goes_record_by_record_and_forgets_the_password(
    at_home: Lab, browse: Browse
) -> None:
    lab = at_home
    number = lab.invite("wendel", "Wendel", ("AUT",))
    author, page = lab.person("wendel"), browse("wendel")
    author.create("esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="Read.")
    numbers = [sop(author, f"Staining, part {n}") for n in range(1, 4)]
    page.goto(SERIES)
    assert page.get_by_role("button", name=re.compile("passkey")).count() == 0
    for one in numbers:
        page.locator(f'[name=confirm][value="{one}v1"]').check()
    page.get_by_label("User ID").fill("wendel")
    page.get_by_label("Password").fill("something else entirely")
    expecting(page, "answer 401: POST .*/series/one")
    page.get_by_role("button", name="Sign: authored").click()
    expect(page.locator("[data-now-title]")).to_have_text("0 of 3 signed")
    assert page.get_by_label("Password").input_value() == ""
    page.get_by_label("Password").fill(secret_of("wendel"))
    page.get_by_role("button", name="Sign: authored").click()
    expect(page.locator("[data-now-title]")).to_have_text("3 of 3 signed")
    assert page.get_by_label("Password").input_value() == ""
    assert states(lab, numbers) == ["in_review"] * 3
