"""The pages everybody meets, in a real browser: nothing fails unseen, everybody can use them."""

from __future__ import annotations

from fix_browser import Browse, accessible, by_keyboard, shot
from fix_lab import secret_of


def test_somebody_signs_in_by_keyboard_alone(browse: Browse) -> None:
    page = browse()
    page.goto("/work")
    accessible(page)
    by_keyboard(page, "#uid", "", text="rita")
    by_keyboard(page, "#pw", "", text=secret_of("rita"))
    by_keyboard(page, "#ws", "", text="ws-rita")  # where her last session was: nobody is signed in at two
    by_keyboard(page, ".signcard form button[type=submit]")
    page.wait_for_url("**/work")
    assert page.locator("h1").first.is_visible()


def test_what_waits_is_shown_to_everybody(browse: Browse) -> None:
    page = browse("quinn")
    page.goto("/work")
    accessible(page)
    shot(page, "harness-work")
