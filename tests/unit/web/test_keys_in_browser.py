"""Keys in a real browser: places, the list of keys, search while one types, and annotations over an image."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Page

from coverslip.kernel.change import Change
from fix_browser import Browse, accessible, expecting, shot, watch
from fix_lab import Lab

MEANT = "Applying inline style violates .*openseadragon"
SQUARE = {"type": "Polygon", "coordinates": [[[100, 50], [200, 50], [200, 150], [100, 150], [100, 50]]]}
PLACES = {
    "w": "/work", "s": "/types/study", "i": "/images", "r": "/review", "d": "/documents", "t": "/training",
    "a": "/audit",
}  # fmt: skip


@pytest.fixture(scope="module")
def image(lab: Lab) -> str:
    """An available field of 400 by 300 pixels."""
    out = io.BytesIO()
    tifffile.imwrite(out, np.arange(120_000, dtype=np.uint32).reshape(300, 400).astype(np.uint16))
    kept = lab.attach("marked.tif", out.getvalue())
    fields = {"name": "marked.tif", "study": lab.n["study"], "session": lab.n["session"], "kind": "raw"}
    made = lab.door.submit(Change("create", "image", fields=fields), lab.service()).entries[0].number
    lab.machine(
        made,
        "accept",
        files=[kept],
        root=kept["root"],
        format="tiff",
        uncalibrated=True,
        dims={"x": 400, "y": 300, "z": 1, "c": 1, "t": 1, "levels": 1},
        checks=[{"check": "parses", "verdict": "pass", "sentence": "The file reads."}],
    )
    return str(made)


def marked(lab: Lab, image: str) -> str:
    return lab.alan.create(
        "annotation",
        title="A square nucleus",
        image=image,
        geometry=SQUARE,
        coordinate_space="pixel",
        blinded=True,
        tool="By hand, 1.0",
        **{"class": "nucleus"},
    )


@pytest.mark.parametrize("key", PLACES)
def test_g_and_a_letter_lead_to_a_place(browse: Browse, key: str) -> None:
    page = browse("quinn")
    page.goto("/help")
    page.keyboard.press("g")
    page.keyboard.press(key)
    page.wait_for_url(f"**{PLACES[key]}")


def test_a_question_mark_shows_the_keys_and_escape_closes_them(browse: Browse) -> None:
    page = browse("quinn")
    page.goto("/work")
    page.keyboard.press("?")
    keys = page.locator("#keys")
    keys.wait_for()
    text = keys.inner_text()
    assert all(said in text for said in ("Search", "My work", "Audit trail", "Next and previous row"))
    accessible(page)
    page.keyboard.press("Escape")
    keys.wait_for(state="hidden")


def test_search_offers_records_and_arrows_and_enter_open_one(lab: Lab, browse: Browse) -> None:
    number = lab.new_sop("Offered while typing")
    page = browse("quinn")
    page.goto("/help")
    page.keyboard.press("/")
    page.keyboard.type(number.lower())
    page.locator("#found li").first.wait_for()
    assert page.get_attribute("#find", "aria-expanded") == "true"
    accessible(page)
    shot(page, "search-offers", full=False)
    page.keyboard.press("ArrowDown")
    assert page.get_attribute("#find", "aria-activedescendant") == "found-0"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/documents/{number}v1")


def test_escape_closes_what_search_offers_and_enter_then_searches(lab: Lab, browse: Browse) -> None:
    lab.new_sop("Closed again")
    page = browse("quinn")
    page.goto("/help")
    page.keyboard.press("/")
    page.keyboard.type("SOP-0")
    page.locator("#found li").first.wait_for()
    page.keyboard.press("Escape")
    page.locator("#found").wait_for(state="hidden")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=SOP-0*")


def test_the_menu_shows_what_waits(lab: Lab, browse: Browse) -> None:
    lab.new_review()
    page = browse("rita")
    page.goto("/help")
    page.locator("[data-count=review]:not([hidden])").wait_for()
    assert int(page.inner_text("[data-count=review]").split()[0].rstrip("+")) >= 1
    accessible(page)


def drawn(page: Page) -> dict[str, float]:
    """Return where the outline of the first annotation is on the screen."""
    found = page.locator("[data-marks] path:not(.under)").first.bounding_box()
    assert found is not None
    return dict(found)


def test_annotations_are_drawn_over_the_image_and_shown_or_hidden_by_key(
    lab: Lab, image: str, browse: Browse
) -> None:
    number = marked(lab, image)
    page = browse("rita")
    expecting(page, MEANT)
    page.goto(f"/images/{image}")
    page.wait_for_selector(".stage canvas")
    page.wait_for_function("document.querySelector('[data-marks]').hasAttribute('preserveAspectRatio')")
    page.wait_for_timeout(600)
    whole = drawn(page)
    assert abs(whole["width"] - whole["height"]) < 6, "a square stays one"
    page.keyboard.press("+")
    page.wait_for_timeout(600)
    assert drawn(page)["width"] > 1.2 * whole["width"], "it follows the zoom"
    page.keyboard.press("m")
    page.locator("[data-marks]").wait_for(state="hidden")
    assert page.get_attribute("[data-do=marks]", "aria-pressed") == "false"
    page.keyboard.press("m")
    page.locator("[data-marks]").wait_for(state="visible")
    assert page.locator(f"[data-marks] a[href='/r/{number}v1']").count() == 1
    accessible(page)
    shot(page, "image-annotated")
    assert watch(page).faults == []


def test_without_scripts_annotations_are_drawn_and_listed(lab: Lab, image: str, browse: Browse) -> None:
    number = marked(lab, image)
    page = browse("rita", java_script_enabled=False)
    page.goto(f"/images/{image}")
    assert page.locator("[data-marks] path:not(.under)").count() >= 1
    table = page.inner_text("[aria-labelledby=h-marks]")
    assert number in table
    assert "at x 100.0 y 50.0" in table
    assert "outline, 5 points" in table
