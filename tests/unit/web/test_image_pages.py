"""The viewer in a real browser, and the same page without scripts: channels, windows, planes, values."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile
from playwright.sync_api import Page

from fix_browser import Browse, Served, accessible, expecting, shot, watch
from fix_lab import Lab

Y, X = np.mgrid[0:700, 0:900]
STACK = np.stack(
    [
        [
            (3000 * np.exp(-(((X % 90) - 45) ** 2 + ((Y % 90) - 45) ** 2) / 300) + 200 + 50 * z)
            for z in range(3)
        ],
        [(1500 * np.exp(-(((X % 140) - 70) ** 2 + ((Y % 140) - 70) ** 2) / 900) + 100) for z in range(3)],
    ]
).astype(np.uint16)


@pytest.fixture(scope="module")
def image(lab: Lab) -> str:
    """Two channels, three depths, calibrated."""
    out = io.BytesIO()
    tifffile.imwrite(
        out, STACK, ome=True, photometric="minisblack", tile=(256, 256), compression="zlib",
        metadata={
            "axes": "CZYX", "PhysicalSizeX": 0.325, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.325,
            "PhysicalSizeYUnit": "µm", "Channel": {"Name": ["Hoechst", "Calcein"]},
        },
    )  # fmt: skip
    data = out.getvalue()
    session = lab.new_session()
    lab.start_session(session)
    manifest: dict[str, Any] = {
        "name": "field.ome.tif", "size": len(data), "sha256": sha256(data).hexdigest(), "sequence": 1,
        "reason": "The instrument is not connected.",
    }  # fmt: skip
    return str(lab.ingest().deliver(session, lab.olga.context, manifest, io.BytesIO(data))["number"])


MEANT = "Applying inline style violates .*openseadragon"
"""OpenSeadragon adds one style, which takes the outline off what has the focus: it is meant to be blocked."""


def viewed(browse: Browse, username: str = "rita") -> Page:
    page = browse(username)
    expecting(page, MEANT)
    return page


def views(lab: Lab, number: str) -> int:
    return sum(1 for one in lab.history(number) if one["type"] == "view" and one["act"] == "open_image")


def test_the_viewer_shows_tiles_planes_channels_and_native_values(
    lab: Lab, image: str, browse: Browse
) -> None:
    before = views(lab, image)
    page = viewed(browse, "vera")
    with page.expect_response(lambda r: "/tiles/" in r.url and r.ok):
        page.goto(f"/images/{image}")
    page.wait_for_selector(".stage canvas")
    page.wait_for_function("document.querySelector('[data-zoom]').textContent.includes('%')")
    assert page.locator("[data-scale]").inner_text().strip().endswith("µm")
    box = page.locator(".stage").bounding_box()
    assert box is not None
    with page.expect_response(lambda r: "/probe" in r.url) as probed:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told = probed.value.json()
    assert told["channels"][0]["values"] == [str(STACK[0, 0, told["y"], told["x"]])]
    assert told["channels"][1]["name"] == "Calcein"
    with page.expect_response(lambda r: "/tiles/" in r.url and "z=1" in r.url):
        page.keyboard.press(".")
    page.wait_for_function("document.querySelector('[data-axis=z] [data-at]').textContent === '2/3'")
    with page.expect_response(lambda r: "/tiles/" in r.url and "channels=1%3A" in r.url):
        page.keyboard.press("1")
    with page.expect_response(lambda r: "/tiles/" in r.url and "4321" in r.url):
        page.fill("[name=hi1]", "4321")
    page.wait_for_load_state("networkidle")
    shot(page, "image")
    assert watch(page).faults == []
    assert views(lab, image) == before + 1
    page.reload()
    page.wait_for_selector(".stage canvas")
    assert page.input_value("[name=hi1]") == "4321"
    assert views(lab, image) == before + 1


def test_the_viewer_is_accessible(image: str, browse: Browse) -> None:
    page = viewed(browse)
    page.goto(f"/images/{image}")
    page.wait_for_selector(".stage canvas")
    accessible(page)
    page.goto("/images")
    page.wait_for_load_state("networkidle")
    accessible(page)
    shot(page, "images")


def test_without_scripts_the_page_shows_a_picture_and_takes_the_same_settings(
    image: str, browse: Browse
) -> None:
    page = browse("rita", java_script_enabled=False)
    page.goto(f"/images/{image}")
    assert page.locator("[data-static]").first.evaluate("one => one.naturalWidth") == 900
    page.fill("[name=lo0]", "500")
    page.uncheck("[name=on][value='1']")
    page.click("#display button[type=submit]")
    source = page.locator("img[data-static]").get_attribute("src") or ""
    assert "0%3A3c78ff%3A500%3A" in source
    assert "1%3A" not in source
    page.fill("[name=x]", "45")
    page.fill("[name=y]", "45")
    page.click("[aria-labelledby=h-probe] button")
    assert f"Hoechst {STACK[0, 0, 45, 45]}" in page.inner_text(".vfoot")
    page.click("[aria-label='Next Z plane']")
    assert "2/3" in page.inner_text(".vbar")
    assert page.input_value("[name=lo0]") == "500"


def test_pages_and_tiles_are_only_for_who_is_signed_in(image: str, served: Served) -> None:
    tile = f"/images/{image}/tiles/0/0_0.jpg?channels=0:ffffff:0:9"
    for path in (f"/images/{image}", "/images", tile, f"/images/{image}/probe?x=0&y=0"):
        answer = httpx.get(served.url + path, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")


def test_a_tile_of_the_page_is_that_of_the_interface_and_kept_by_this_browser_only(
    lab: Lab, image: str, served: Served
) -> None:
    token = lab.person("rita").token
    path = f"/images/{image}/tiles/0/1_1.png?channels=1:ffffff:100:1500"
    seen = [httpx.get(served.url + path, cookies={served.cookie: token}) for _ in range(2)]
    other = httpx.get(f"{served.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    assert seen[0].content == seen[1].content == other.content
    for one in seen:
        assert one.headers["cache-control"] == "private, max-age=86400, immutable"
        assert one.headers["x-content-type-options"] == "nosniff"
        assert one.headers["etag"] == other.headers["etag"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("?z=3", 422),
        ("?t=1", 422),
        ("?lo0=abc", 422),
        ("?lo0=9&hi0=9", 422),
        ("?x=900&y=0", 422),
        ("?x=<script>&y=0", 422),
        ("?set=1&on=<script>", 200),
        ("/tiles/0/..%2f..%2f..%2fsecrets.jpg", 404),
        ("/picture.exe", 422),
        ("/histogram.svg?c=5", 422),
    ],
)
def test_what_is_no_setting_is_refused_in_words(
    lab: Lab, image: str, served: Served, path: str, status: int
) -> None:
    answer = httpx.get(
        f"{served.url}/images/{image}{path}", cookies={served.cookie: lab.person("rita").token}
    )
    assert answer.status_code == status
    assert "<script>" not in answer.text.replace("<script src", "")


def test_an_image_that_cannot_be_read_says_so_on_its_page(lab: Lab, served: Served) -> None:
    cookies, number = {served.cookie: lab.person("rita").token}, lab.new_image()
    answer = httpx.get(f"{served.url}/images/{number}", cookies=cookies)
    assert answer.status_code == 200
    assert "This image cannot be shown" in answer.text
    small = httpx.get(f"{served.url}/images/{number}/thumbnail.jpg", cookies=cookies, follow_redirects=True)
    assert small.headers["content-type"].startswith("image/svg")
    assert small.history[0].headers["cache-control"] == "no-store"
    assert "This image cannot be shown" in small.text
