"""Whatever the layout, any region of any plane is what tifffile reads; reduction keeps its bounds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings, strategies as st

from coverslip.imaging import rendering
from coverslip.imaging.metadata import Refusal
from coverslip.imaging.pool import File, ReaderPool

KINDS = ("uint8", "uint16", "int16", "uint32", "float32")


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    made = ReaderPool(1)
    yield made
    made.close()


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Any, dict[str, Any], tuple[int, int, int, int]]:
    height, width = draw(st.integers(1, 130)), draw(st.integers(1, 130))
    samples = draw(st.sampled_from([1, 1, 3, 4]))
    kind = draw(st.sampled_from(KINDS))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    pixels = rng.integers(0, 255, (height, width, samples), dtype=np.uint8).astype(kind)
    how: dict[str, Any] = {
        "compression": draw(st.sampled_from([None, "zlib", "zstd", "lzw", "packbits"])),
        "byteorder": draw(st.sampled_from("<>")),
        "bigtiff": draw(st.booleans()),
    }
    if samples > 1:
        how |= {"photometric": "rgb", "planarconfig": draw(st.sampled_from(["contig", "separate"]))}
    else:
        how["photometric"] = "minisblack"
    if draw(st.booleans()):
        how["tile"] = (16 * draw(st.integers(1, 4)), 16 * draw(st.integers(1, 4)))
    else:
        how["rowsperstrip"] = draw(st.integers(1, height))
    if how["compression"] in ("zlib", "zstd", "lzw") and kind != "float32":
        how["predictor"] = draw(st.booleans())
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return pixels, how, (x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))


@settings(max_examples=60, deadline=None)
@given(made=layouts())
def test_any_region_is_what_tifffile_reads(pool: ReaderPool, made: Any) -> None:
    pixels, how, (x, y, w, h) = made
    separate = how.get("planarconfig") == "separate"
    data = pixels[..., 0] if pixels.shape[2] == 1 else np.moveaxis(pixels, 2, 0) if separate else pixels
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tif"
        tifffile.imwrite(path, data, metadata=None, **how)
        whole = tifffile.imread(path)
        answer = pool.ask(File(str(path), str(path)), "region", c=0, z=0, t=0, x=x, y=y, w=w, h=h)
    assert not isinstance(answer, Refusal), answer
    kind = np.dtype(answer[0]["dtype"]).newbyteorder("<")
    got = np.frombuffer(answer[1], kind).reshape(answer[0]["shape"])
    wanted = np.moveaxis(whole, 0, 2) if separate else whole
    assert got.dtype == wanted.dtype
    assert np.array_equal(got, wanted[y : y + h, x : x + w])


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    power=st.integers(0, 5),
    seed=st.integers(0, 1 << 20),
    kind=st.sampled_from(("uint8", "uint16", "float32")),
)
def test_a_reduced_value_is_the_mean_of_the_pixels_that_are_there(
    height: int, width: int, power: int, seed: int, kind: str
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width)).astype(kind)
    factor = 1 << power
    got = rendering.reduce(pixels, factor)
    assert got.shape == (-(-height // factor), -(-width // factor))
    for row in range(got.shape[0]):
        for column in range(got.shape[1]):
            block = pixels[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
            mean = float(block.astype(np.float64).mean())
            wanted = mean if kind == "float32" else np.floor(mean + 0.5)
            assert abs(float(got[row, column]) - wanted) < 1e-3


@given(value=st.integers(0, 65535), low=st.integers(-70000, 70000), extent=st.integers(1, 140000))
def test_a_level_is_within_bounds_and_by_the_rule(value: int, low: int, extent: int) -> None:
    got = int(rendering.levels(np.array([[value]], np.uint16), str(low), str(low + extent))[0, 0])
    assert got == min(255, max(0, ((value - low) * 510 + extent) // (2 * extent)))
