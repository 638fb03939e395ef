"""Images over the interface: described, shown in tiles, answered in native values, to who may read them."""

from __future__ import annotations

import io
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import uuid4

import imagecodecs
import numpy as np
import pytest
import tifffile

from fix_caller import Caller
from fix_lab import Lab

Api = Callable[[str], Caller]
PIXELS = np.random.default_rng(3).integers(100, 5000, (300, 420), dtype=np.uint16)


def tiff(pixels: Any = PIXELS, **more: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **{"compression": "zlib", "tile": (128, 128), "metadata": None} | more)
    return out.getvalue()


@pytest.fixture(scope="module")
def image(lab: Lab) -> str:
    """A registered image of these pixels, by its number."""
    return deliver(lab, tiff())


def deliver(lab: Lab, data: bytes, name: str = "field.tif") -> str:
    session = lab.new_session()
    lab.start_session(session)
    manifest: dict[str, Any] = {
        "name": name, "size": len(data), "sha256": sha256(data).hexdigest(), "sequence": 1,
        "reason": str(uuid4()),
    }  # fmt: skip
    found = lab.ingest().deliver(session, lab.olga.context, manifest, io.BytesIO(data))
    return str(found["number"])


def settings(**more: Any) -> str:
    return "&".join(f"{name}={value}" for name, value in {"channels": "0:ffffff:100:5000", **more}.items())


def test_an_image_says_what_it_holds(api: Api, image: str) -> None:
    found = api("rita").get(f"/images/{image}/pixels")
    assert found["shape"] == {"t": 1, "c": 1, "z": 1, "y": 300, "x": 420}
    assert (found["dtype"], found["samples"], found["tile"]) == ("uint16", 1, 256)
    assert [(one["width"], one["height"]) for one in found["levels"]] == [(420, 300), (210, 150)]
    assert "pixel_size_um" not in found
    assert found["uncalibrated"]


def test_a_region_is_native_values_as_stored(api: Api, image: str) -> None:
    found = api("rita").request("GET", f"/images/{image}/planes/0/0/0/region?x=40&y=50&w=200&h=100")
    assert found.headers["coverslip-shape"] == "100,200"
    assert found.headers["coverslip-dtype"] == "uint16"
    assert found.headers["coverslip-sha256"] == sha256(found.content).hexdigest()
    assert np.array_equal(np.frombuffer(found.content, "<u2").reshape(100, 200), PIXELS[50:150, 40:240])


def test_a_tile_is_the_window_of_its_address(api: Api, image: str) -> None:
    found = api("rita").request("GET", f"/images/{image}/tiles/0/1_0.png?{settings()}")
    assert found.headers["content-type"] == "image/png"
    wanted = np.floor((PIXELS[:256, 256:].astype(float) - 100) * 255 / 4900 + 0.5)
    assert np.array_equal(imagecodecs.png_decode(found.content), np.clip(wanted, 0, 255).astype(np.uint8))


def test_the_same_address_gives_the_same_bytes_and_tag_and_need_not_be_sent_again(
    api: Api, image: str
) -> None:
    path = f"/images/{image}/tiles/0/0_0.jpg?{settings()}"
    first, second = api("rita").request("GET", path), api("alan").request("GET", path)
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
    other = api("rita").request("GET", f"/images/{image}/tiles/0/0_0.jpg?{settings(q=60)}")
    assert other.headers["etag"] != first.headers["etag"]
    again = api("rita").request("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_probe_tells_the_native_value(api: Api, image: str) -> None:
    found = api("rita").get(f"/images/{image}/probe?x=17&y=99")
    assert found["channels"] == [{"index": 0, "name": "Channel 1", "values": [str(PIXELS[99, 17])]}]


def test_a_histogram_tells_the_window_first_shown(api: Api, image: str) -> None:
    found = api("rita").get(f"/images/{image}/histogram")
    assert sum(found["counts"]) == PIXELS.size
    assert int(found["low"]) < int(found["high"])
    assert "percentile" in found["window"]


def test_a_thumbnail_is_small(api: Api, image: str) -> None:
    found = api("rita").request("GET", f"/images/{image}/thumbnail?size=128")
    assert max(imagecodecs.jpeg8_decode(found.content).shape) <= 128


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("tiles/0/2_0.jpg", 422),
        ("tiles/9/0_0.jpg?channels=0:ffffff:0:1", 200),
        ("tiles/41/0_0.jpg", 422),
        ("tiles/-1/0_0.jpg", 422),
        ("tiles/0/0_0.exe", 422),
        ("tiles/0/../../../secrets.jpg", 404),
        ("tiles/0/..%2f..%2fsecrets.jpg", 404),
        ("tiles/0/0_0.jpg?channels=0:ffffff:9:9", 422),
        ("tiles/0/0_0.jpg?channels=0:ffffff:nan:9", 422),
        ("tiles/0/0_0.jpg?channels=0:ffffff:1e9:2e99", 422),
        ("tiles/0/0_0.jpg?channels=0:ffffff:0:9,0:ffffff:0:9", 422),
        ("tiles/0/0_0.jpg?channels=7:ffffff:0:9", 422),
        ("tiles/0/0_0.jpg?channels=0:javascript:0:9", 422),
        ("tiles/0/0_0.jpg?q=1000", 422),
        ("tiles/0/0_0.jpg?z=3", 422),
        ("tiles/0/0_0.jpg?t=99999999999", 422),
        ("planes/0/0/0/region?x=0&y=0&w=421&h=1", 422),
        ("planes/0/0/0/region?x=0&y=0&w=0&h=1", 422),
        ("planes/0/0/1/region?x=0&y=0&w=1&h=1", 422),
        ("probe?x=420&y=0", 422),
        ("thumbnail?size=5000", 422),
        ("histogram?c=1", 422),
    ],
)
def test_parameters_out_of_bounds_are_refused_in_words(api: Api, image: str, path: str, status: int) -> None:
    found = api("rita").request("GET", f"/images/{image}/{path}")
    assert found.status_code == status, found.text


def test_only_who_is_signed_in_sees_an_image(lab: Lab, api: Api, image: str) -> None:
    stranger = Caller(api("rita").client)
    for path in ("pixels", f"tiles/0/0_0.jpg?{settings()}", "probe?x=0&y=0", "histogram", "thumbnail"):
        assert stranger.request("GET", f"/images/{image}/{path}").status_code == 401


def test_a_record_without_pixels_has_none_to_see(lab: Lab, api: Api) -> None:
    for number in (lab.new_study(), "IMG-2020-999999", "..", "%2e%2e%2fetc"):
        assert api("rita").request("GET", f"/images/{number}/pixels").status_code == 404


def test_an_image_in_quarantine_is_seen_marked_and_without_a_pixel_size(lab: Lab, api: Api) -> None:
    number = deliver(lab, tiff(PIXELS[:64, :64]), "field.png")
    found = api("rita").get(f"/images/{number}/pixels")
    assert (lab.row(number).state, found["state"]) == ("quarantined", "quarantined")
    assert found["uncalibrated"] == "The image is in quarantine."
    assert api("rita").get(f"/images/{number}/probe?x=3&y=4")["channels"][0]["values"] == [str(PIXELS[4, 3])]


def test_a_file_that_cannot_be_read_is_refused_in_words(lab: Lab, api: Api) -> None:
    number = deliver(lab, tiff(PIXELS[:64, :64])[:-2000])
    found = api("rita").request("GET", f"/images/{number}/thumbnail")
    assert (found.status_code, found.json()["code"]) == (422, "VAL_FORM")


def test_changed_bytes_are_never_shown(lab: Lab, api: Api) -> None:
    number = deliver(lab, tiff(PIXELS[::2]))
    path = lab.vault.path(lab.row(number).fields["root"])
    before = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(before[:3000] + bytes([before[3000] ^ 1]) + before[3001:])
    try:
        found = api("rita").request("GET", f"/images/{number}/tiles/0/0_0.jpg?{settings()}")
        assert (found.status_code, found.json()["code"]) == (409, "HASH")
        assert lab.refusals(number)
    finally:
        path.write_bytes(before)
        path.chmod(0o444)
