"""Whatever part of an image is asked for is the part numpy would give of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from coverslip.client import Image, images
from fix_pixels import NUMBER, PixelServer, drawn

SHAPES = ((1, 1, 1, 7, 9), (3, 2, 4, 5, 6), (2, 1, 1, 13, 4, 3))
KINDS = ("uint8", "uint16", "float32", "bool")


def served(shape: tuple[int, ...], kind: str) -> tuple[Image, Any, PixelServer]:
    server = PixelServer(drawn(shape, kind))
    return server.client().image(NUMBER), server.pixels, server


@st.composite
def keys(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index: integers and slices for some of the axes, ``...`` in place of others."""
    parts: list[Any] = []
    for size in shape[: draw(st.sampled_from((0, 1, 3, 5, len(shape), len(shape))))]:
        parts.append(draw(st.one_of(st.integers(-size, size - 1), st.slices(size))))
    if len(parts) < len(shape) and draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), Ellipsis)
        gap = len(shape) - len(parts) + 1
        place = parts.index(Ellipsis)
        for i, size in enumerate(shape[place + gap :], place + 1):
            if not isinstance(parts[i], slice):
                parts[i] = parts[i] % size
    return tuple(parts)


@given(data=st.data(), shape=st.sampled_from(SHAPES), kind=st.sampled_from(KINDS))
def test_any_slice_is_numpys_slice_of_the_whole(data: Any, shape: tuple[int, ...], kind: str) -> None:
    image, whole, server = served(shape, kind)
    key = data.draw(keys(shape))
    got, expected = image[key], whole[key]
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert np.array_equal(got, expected)
    assert all(w <= shape[4] and h <= shape[3] for *_, w, h in server.asked)


@given(data=st.data(), shape=st.sampled_from(SHAPES))
def test_no_pixel_outside_the_rectangle_around_what_is_asked_for_is_read(
    data: Any, shape: tuple[int, ...]
) -> None:
    image, whole, server = served(shape, "uint16")
    key = data.draw(keys(shape))
    image[key]
    index = np.arange(whole.size).reshape(shape)[key]
    if not index.size:
        assert server.asked == []
        return
    t, c, z, y, x = np.unravel_index(index.ravel(), shape)[:5]
    planes = {tuple(map(int, one)) for one in zip(t, c, z, strict=True)}
    assert {one[:3] for one in server.asked} == planes
    box = (int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1)
    assert {one[3:] for one in server.asked} == {box}


@settings(max_examples=40)
@given(data=st.data(), side=st.integers(1, 8), block=st.integers(1, 8), cache=st.sampled_from((0, 50, 10**6)))
def test_zarr_and_blocks_of_any_size_give_the_same_pixels(
    data: Any, side: int, block: int, cache: int
) -> None:
    shape = data.draw(st.sampled_from(SHAPES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "BLOCK_SIDE", block)
        image, whole, _ = served(shape, "uint16")
        array = image.zarr(chunk_side=side, cache_bytes=cache)
        key = tuple(slice(*sorted(data.draw(st.tuples(*[st.integers(0, size)] * 2)))) for size in shape)
        assert np.array_equal(np.asarray(array[key]), whole[key])
        assert np.array_equal(image[...], whole)
