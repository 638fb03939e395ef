"""The nucleus algorithm counts what is there, and flags what it cannot judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from coverslip.analysis.algorithms.nucleus_count import Field, Limits, Parameters, count_nuclei

Plane = npt.NDArray[Any]


def field(rows: int = 5, columns: int = 6, seed: int = 1, noise: float = 3.0, radius: float = 9.0) -> Plane:
    """Return an 8-bit field with ``rows * columns`` elliptic nuclei on a jittered grid (y, x)."""
    rng = np.random.default_rng(seed)
    pitch = 40
    y, x = np.mgrid[: rows * pitch, : columns * pitch].astype(float)
    image = np.full(y.shape, 12.0)
    for r in range(rows):
        for c in range(columns):
            cy, cx = (r + 0.5) * pitch + rng.uniform(-4, 4), (c + 0.5) * pitch + rng.uniform(-4, 4)
            a, b = radius * rng.uniform(0.8, 1.1, 2)
            inside = 1 / (1 + np.exp(4 * (np.hypot((y - cy) / a, (x - cx) / b) * 3 - 3)))
            image += inside * rng.uniform(60, 160)
    return np.clip(np.round(image + rng.normal(0, noise, y.shape)), 0, 254).astype(np.uint8)


def judge(pixels: Plane) -> Field:
    return count_nuclei(pixels, Parameters(), Limits())


def failed(pixels: Plane) -> set[str]:
    return {gate.name for gate in judge(pixels).gates if not gate.passed}


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (5, 6), (8, 9)])
def test_separate_nuclei_are_counted_exactly(rows: int, columns: int) -> None:
    found = judge(field(rows, columns, seed=rows))
    assert found.usable
    assert found.count == rows * columns


def test_two_touching_nuclei_are_two() -> None:
    y, x = np.mgrid[:120, :120].astype(float)
    image = np.full((120, 120), 10.0)
    for cx in (50, 69):
        image[np.hypot(y - 60, x - cx) < 11] = 150
    assert judge(image.astype(np.uint8)).count == 2


def test_sixteen_bits_and_a_bright_offset_change_nothing() -> None:
    eight = field()
    sixteen = eight.astype(np.uint16) * 150 + 4000
    assert np.array_equal(judge(eight).labels, judge(sixteen).labels)


def test_grey_stored_as_colour_counts_like_grey() -> None:
    plane = field()
    opaque = np.dstack([plane, plane, plane, np.full_like(plane, 255)])
    assert np.array_equal(judge(plane).labels, judge(opaque).labels)


def test_labels_are_one_to_n_without_gaps() -> None:
    labels = judge(field()).labels
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))


def test_the_same_pixels_give_the_same_labels_and_stay_untouched() -> None:
    plane = field(seed=4)
    before = plane.copy()
    assert np.array_equal(judge(plane).labels, judge(plane).labels)
    assert np.array_equal(plane, before)


def test_specks_far_below_the_usual_size_are_dropped() -> None:
    plane = field()
    plane[2:5, 2:5] = 200
    assert judge(plane).count == 30


def colour_section(seed: int = 2) -> Plane:
    """Return a stained section as RGB: pink tissue, blue nuclei, white ground."""
    ink = field(seed=seed).astype(float) / 255
    return np.dstack([240 - 150 * ink, 200 - 150 * ink, 235 - 60 * ink]).astype(np.uint8)


def noisy(amplitude: float) -> Plane:
    plane = field(noise=0)
    found = plane * 100.0 + np.random.default_rng(9).normal(5000, amplitude * 12000, plane.shape)
    return np.clip(np.round(found), 0, 65535).astype(np.uint16)


def saturated() -> Plane:
    """Return a field whose 12-bit camera was overexposed."""
    return np.minimum(field(radius=13).astype(np.uint16) * 70, 4095).astype(np.uint16)


TRIPPED = {
    "size": lambda: field()[:40],
    "colour": colour_section,
    "range": lambda: np.full((200, 200), 7, np.uint8),
    "saturation": saturated,
    "contrast": lambda: np.random.default_rng(3).poisson(400, (256, 256)).astype(np.uint16),
    "noise": lambda: noisy(0.3),
    "largest": lambda: np.tile(np.linspace(1000, 30000, 300), (300, 1)).astype(np.uint16),
}


@pytest.mark.parametrize("gate", sorted(TRIPPED))
def test_each_gate_flags_the_image_made_for_it(gate: str) -> None:
    found = judge(TRIPPED[gate]())
    assert not found.usable
    assert gate in {g.name for g in found.gates if not g.passed}


@pytest.mark.parametrize(
    "pixels",
    [255 - field(), np.zeros((256, 256), np.uint8), np.full((256, 256), 65535, np.uint16), noisy(0.5)],
    ids=["inverted", "black", "white", "buried in noise"],
)
def test_what_is_no_fluorescence_field_is_flagged(pixels: Plane) -> None:
    assert failed(pixels)


def test_an_empty_field_is_flagged_not_counted_as_zero() -> None:
    dark = np.random.default_rng(5).normal(1000, 30, (256, 256)).astype(np.uint16)
    assert failed(dark)


def test_outlines_rougher_than_allowed_are_flagged() -> None:
    found = count_nuclei(field(), Parameters(), Limits(min_median_solidity=0.999))
    assert [g.name for g in found.gates if not g.passed] == ["solidity"]


def test_more_objects_than_plausible_are_flagged() -> None:
    found = count_nuclei(field(), Parameters(), Limits(max_objects=29))
    assert [g.name for g in found.gates if not g.passed] == ["objects"]


def test_objects_too_small_for_nuclei_are_flagged() -> None:
    found = count_nuclei(field(), Parameters(), Limits(min_median_area_px=5000))
    assert [g.name for g in found.gates if not g.passed] == ["area"]


def test_a_field_full_of_signal_is_flagged() -> None:
    found = count_nuclei(field(), Parameters(), Limits(max_foreground_share=0.01))
    assert [g.name for g in found.gates if not g.passed] == ["foreground"]


def test_a_gate_tells_value_and_limit() -> None:
    gate = next(g for g in judge(field()[:40]).gates if g.name == "size")
    assert (gate.value, gate.limit, gate.passed) == (40, 64, False)
