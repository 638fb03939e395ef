"""A passkey in a real browser: added, verified by somebody else, signed in with, signed with."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from coverslip.kernel.identity import Place
from coverslip.kernel.passkeys import Party
from fix_browser import Authenticator, Browse, Served, accessible, expecting
from fix_lab import Lab, Person, secret_of
from fix_passkey import verified

NAME = "wilhelmina"


@pytest.fixture
def at_home(served: Served) -> Iterator[Lab]:
    """The laboratory, which makes passkeys for the address it is served at."""
    ring = served.lab.identity.ring
    before, ring.party = ring.party, Party.of(served.url)
    yield served.lab
    ring.party = before


def test_a_passkey_is_made_verified_and_signs_in_and_signs(at_home: Lab, browse: Browse) -> None:
    lab = at_home
    number = lab.invite(NAME, "Wilhelmina", ("AUT",))
    page = browse()
    passkey = Authenticator(page)
    # Chromium asks for RSA keys to be offered too; the offline verifier checks P-256 alone.
    expecting(page, "pubKeyCredParams")
    page.goto("/sign-in?next=/me/credentials")
    page.get_by_label("User ID").fill(NAME)
    page.get_by_label("Password").fill(secret_of(NAME))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/me/credentials")

    page.get_by_label("User ID").first.fill(NAME)
    page.get_by_label("Password").first.fill(secret_of(NAME))
    page.get_by_label("Name for it").fill("Drawer")
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_text("Waits for verification")).to_be_visible()
    accessible(page)
    verified(lab, number)

    page.goto("/me")
    page.get_by_role("button", name="Lock").click()
    page.wait_for_url("**/locked")
    accessible(page)
    page.get_by_role("button", name="Unlock with a passkey").click()
    page.wait_for_url("**/work")
    page.goto("/me")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in?said=out")

    expecting(page, "answer 401")
    passkey.verify(False)
    page.goto("/sign-in?next=/me")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("[data-passkey-says]")).to_contain_text("passkey")
    passkey.verify(True)
    page.goto("/sign-in?next=/me")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/me")
    expect(page.get_by_text("a passkey,")).to_be_visible()

    here = Place("", "127.0.0.1", "tests", "UTC")
    author = Person(lab, NAME, lab.identity.sign_in(NAME, secret_of(NAME), here))
    author.create("esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="Read.")
    sop = author.create(
        "document_sop", title="Counting", criticality="gxp", body="1.", change_summary="First.",
        training_depth="none", audience=[], effective_date="2099-01-01",
    )  # fmt: skip
    page.goto(f"/r/{sop}/do/submit")
    page.get_by_role("button", name="Sign with passkey: authored").click()
    page.wait_for_url(re.compile(f"{sop}v1"))
    signed = lab.history(sop)[-1]["sections"]["signature"]
    assert signed["scheme"] == "webauthn-p256"
    assert lab.row(sop).state == "in_review"
