"""Images in parts: what they say of themselves, what is read for them, and what is never taken for pixels."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import httpx
import numpy as np
import pytest
import zarr

from coverslip.client import ApiError, EvidenceError, FaultError, Image, MisuseError, OutsideError, images
from coverslip.client.pixels import Bounded
from fix_pixels import NUMBER, PixelServer, drawn


@pytest.fixture
def server() -> PixelServer:
    return PixelServer(drawn((2, 3, 1, 40, 50), "uint16"))


@pytest.fixture
def image(server: PixelServer) -> Image:
    return server.client().image(NUMBER)


def test_an_image_says_what_it_is_before_a_pixel_is_read(image: Image, server: PixelServer) -> None:
    assert (image.axes, image.shape, image.dtype) == ("tczyx", (2, 3, 1, 40, 50), np.dtype("uint16"))
    assert (image.ndim, len(image), image.nbytes) == (5, 2, 2 * 3 * 40 * 50 * 2)
    assert [channel.name for channel in image.channels] == ["ch0", "ch1", "ch2"]
    assert (image.pixel_size.x, image.pixel_size.z, image.pixel_size.calibrated) == (0.325, None, True)
    assert NUMBER in repr(image) and server.asked == []


def test_colour_has_its_samples_behind_the_others() -> None:
    server = PixelServer(drawn((1, 1, 1, 6, 5, 3), "uint8"))
    image = server.client().image(NUMBER)
    assert (image.axes, image.shape) == ("tczyxs", (1, 1, 1, 6, 5, 3))
    assert np.array_equal(image[0, 0, 0, 2:4, 1:3, 1], server.pixels[0, 0, 0, 2:4, 1:3, 1])


def test_an_image_without_calibration_has_no_pixel_size(server: PixelServer) -> None:
    server.described = {"pixel_size_um": None, "uncalibrated": "The record names no pixel size."}
    found = server.client().image(NUMBER).pixel_size
    assert (found.calibrated, found.x, found.why) == (False, None, "The record names no pixel size.")


def test_pixels_of_another_file_than_the_records_are_refused(server: PixelServer) -> None:
    server.described = {"root": "ef" * 32}
    with pytest.raises(EvidenceError, match="root"):
        server.client().image(NUMBER)


def test_planes_are_read_one_by_one_when_asked(image: Image, server: PixelServer) -> None:
    planes = list(image.planes())
    assert len(planes) == 6 and server.asked == []
    assert np.array_equal(planes[4].read(), server.pixels[1, 1, 0])
    assert np.array_equal(np.asarray(image.plane(c=2, t=1)[5:7, ::2]), server.pixels[1, 2, 0, 5:7, ::2])
    assert len(server.asked) == 2


def test_a_plane_that_is_not_there_is_refused(image: Image) -> None:
    with pytest.raises(OutsideError):
        image.plane(c=3)


def test_numpy_takes_an_image_as_an_array_and_never_as_its_own(image: Image, server: PixelServer) -> None:
    assert np.array_equal(np.asarray(image), server.pixels)
    assert np.asarray(image.plane(), dtype="float64").dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        np.asarray(image, copy=False)


def test_a_large_rectangle_is_read_in_blocks(server: PixelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "BLOCK_SIDE", 16)
    found = server.client().image(NUMBER)[0, 0, 0]
    assert np.array_equal(found, server.pixels[0, 0, 0]) and len(server.asked) == 3 * 4
    assert max(w for *_, w, _ in server.asked) == 16


@pytest.mark.parametrize("key", [2, (0, 0, 0, 40), (0, 0, 0, 0, -51), (0, 0, 0, 0, 0, 0)])
def test_a_place_outside_is_an_index_error_that_says_where(
    image: Image, server: PixelServer, key: object
) -> None:
    with pytest.raises(OutsideError) as caught:
        image[key]
    assert isinstance(caught.value, IndexError) and isinstance(caught.value, ApiError)
    assert server.asked == []


@pytest.mark.parametrize("key", [None, True, [0, 1], 1.5, "c", (..., ...), slice(0.5, None), slice(0, 1, 0)])
def test_an_index_of_another_kind_is_refused_in_words(image: Image, server: PixelServer, key: object) -> None:
    with pytest.raises(MisuseError):
        image[key]
    assert server.asked == []


def test_more_than_fits_at_once_is_refused_before_it_is_read(
    image: Image, server: PixelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MOST_BYTES", 1000)
    with pytest.raises(MisuseError, match="zarr"):
        try:
            image[...]
        except MisuseError as error:
            raise MisuseError(error.value() | {"message": error.remedy}) from error
    assert server.asked == [] and image[0, 0, 0, :5, :5].shape == (5, 5)


# --- what is never taken for pixels ----------------------------------------------------------------


def cut(response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, content=response.content[:-1], headers=form(response))


def longer(response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, content=response.content + b"\0", headers=form(response))


def much_longer(response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, content=response.content + b"\0" * 99, headers=form(response))


def other_shape(response: httpx.Response) -> httpx.Response:
    h, w = response.headers["Coverslip-Shape"].split(",")
    return httpx.Response(
        200, content=response.content, headers=form(response) | {"Coverslip-Shape": f"{w},{h}"}
    )


def other_type(response: httpx.Response) -> httpx.Response:
    return httpx.Response(
        200, content=response.content, headers=form(response) | {"Coverslip-Dtype": "int16"}
    )


def nameless(response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, content=response.content)


def form(response: httpx.Response) -> dict[str, str]:
    return {
        name: response.headers[name] for name in ("Coverslip-Shape", "Coverslip-Dtype", "Coverslip-Sha256")
    }


def one_bit(response: httpx.Response) -> httpx.Response:
    data = bytes([response.content[0] ^ 1]) + response.content[1:]
    return httpx.Response(200, content=data, headers=form(response))


BENT = (one_bit, cut, longer, much_longer, other_shape, other_type, nameless)


@pytest.mark.parametrize("bend", BENT)
def test_an_answer_of_another_form_is_never_taken_for_pixels(
    image: Image, server: PixelServer, bend: Callable[[httpx.Response], httpx.Response]
) -> None:
    server.bend = bend
    with pytest.raises((EvidenceError, FaultError)):
        image[0, 0, 0, :10, :20]


def test_a_chunk_that_cannot_be_read_is_an_error_and_never_zeros(image: Image, server: PixelServer) -> None:
    array = image.zarr(chunk_side=16)
    server.bend = cut
    with pytest.raises(EvidenceError):
        array[0, 0, 0]
    server.bend = lambda _: httpx.Response(404, json={"code": "NOT_FOUND", "message": "No such plane."})
    with pytest.raises(ApiError):
        array[0, 0, 0]
    server.bend = lambda response: response
    assert np.array_equal(array[0, 0, 0], server.pixels[0, 0, 0])


@pytest.mark.parametrize(
    "described",
    [
        {"shape": {"x": 0, "y": 5}},
        {"shape": {"x": 5}, "dtype": "object"},
        {"shape": {"x": "5", "y": 5}},
        {"shape": [1, 1, 1, 5, 5]},
        {"dtype": "object"},
        {"dtype": "uint16; rm"},
        {"channels": [{"index": "one"}]},
        {"pixel_size_um": {"x": "wide", "y": "1"}},
        {"pixel_size_um": None},
        {"samples": "3"},
        {"samples": None},
    ],
)
def test_a_description_that_is_none_is_a_fault(server: PixelServer, described: dict[str, object]) -> None:
    server.described = described
    with pytest.raises(FaultError):
        server.client().image(NUMBER)


# --- zarr ------------------------------------------------------------------------------------------


def test_zarr_reads_only_the_chunks_it_needs_and_keeps_them(image: Image, server: PixelServer) -> None:
    array = image.zarr(chunk_side=16)
    assert isinstance(array, zarr.Array) and array.metadata.zarr_format == 3
    assert array.shape == image.shape and array.chunks == (1, 1, 1, 16, 16) and array.dtype == image.dtype
    assert server.asked == []
    for _ in range(3):
        assert np.array_equal(array[1, 2, 0, 10:20, 40:50], server.pixels[1, 2, 0, 10:20, 40:50])
    assert sorted(server.asked) == [(1, 2, 0, x, y, w, 16) for x, w in ((32, 16), (48, 2)) for y in (0, 16)]


def test_zarr_says_what_it_stands_on(image: Image) -> None:
    array = image.zarr()
    assert array.attrs["record"] == NUMBER and array.attrs["root"] == "cd" * 32
    assert array.attrs["pixel_size_um"] == {"y": 0.325, "x": 0.325}
    assert array.metadata.to_dict()["dimension_names"] == ("t", "c", "z", "y", "x")


def test_zarr_refuses_to_be_written(image: Image) -> None:
    array = image.zarr()
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0
    with pytest.raises(ValueError):
        zarr.open_array(store=array.store, mode="r+")


def test_a_cache_holds_no_more_than_its_limit_and_keeps_what_was_used_last() -> None:
    made: list[str] = []

    def make(name: str, size: int) -> Callable[[], bytes]:
        return lambda: (made.append(name), bytes(size))[1]

    cache = Bounded(100)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert len(cache.get(name, make(name, 40))) == 40
        assert cache.held_bytes <= 100
    assert made == ["a", "b", "c", "b"]
    cache.get("huge", make("huge", 101))
    assert cache.held_bytes == 80


@pytest.mark.parametrize(("side", "cache"), [(0, 1), (2000, 1), (64, -1)])
def test_chunks_that_cannot_be_are_refused(image: Image, side: int, cache: int) -> None:
    with pytest.raises(MisuseError):
        image.zarr(chunk_side=side, cache_bytes=cache)


# --- without the extra -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("numpy", lambda image: image[0, 0, 0, 0, 0]),
        ("numpy", lambda image: image.dtype),
        ("zarr", lambda image: image.zarr()),
    ],
)
def test_without_the_extra_the_error_names_it(
    image: Image, monkeypatch: pytest.MonkeyPatch, package: str, call: Callable[[Image], object]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MisuseError) as caught:
        call(image)
    assert "coverslip[science]" in caught.value.remedy and package in caught.value.message
    assert image.shape == (2, 3, 1, 40, 50)


def test_the_client_itself_needs_none_of_the_extra() -> None:
    extra = ("numpy", "pandas", "pyarrow", "zarr")
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({extra!r}))\n"
        "from coverslip.client import Coverslip, Image, Run\n"
        "with Coverslip('http://127.0.0.1:1') as cs:\n"
        "    print(repr(cs))\n"
        f"assert not any(sys.modules[name] for name in {extra!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "not signed in" in done.stdout
