"""Synthetic fields with a known count, drawn from a seed that every failure prints."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from coverslip.analysis import registry
from coverslip.analysis.runner import Input, Job, RunLimits

Plane = npt.NDArray[Any]


def drawn(seed: int, wanted: int, radius: float = 10.0, side: int = 384, noise: float = 4.0) -> Plane:
    """Return a 16-bit field (y, x) of ``wanted`` round nuclei that do not touch, on a quiet background."""
    rng = np.random.default_rng(seed)
    placed: list[tuple[float, float]] = []
    while len(placed) < wanted:
        y, x = rng.uniform(1.5 * radius, side - 1.5 * radius, 2)
        if all((y - a) ** 2 + (x - b) ** 2 > (3.0 * radius) ** 2 for a, b in placed):
            placed.append((float(y), float(x)))
    grid_y, grid_x = np.mgrid[:side, :side]
    image = np.full((side, side), 50.0)
    for y, x in placed:
        own = radius * rng.uniform(0.85, 1.1)
        image += rng.uniform(120, 200) * np.clip(own + 0.5 - np.hypot(grid_y - y, grid_x - x), 0, 1)
    smooth = ndi.gaussian_filter(image, 1.0)
    return np.asarray(rng.normal(smooth * 20, noise * 20).clip(0, 60_000).astype(np.uint16))


def job(*planes: Plane, code: str = "", limits: RunLimits | None = None, **values: str) -> Job:
    """Return a job of the bundled algorithm on the planes, named IMG-1 and so on."""
    inputs = tuple(Input(f"IMG-{i}", plane) for i, plane in enumerate(planes, 1))
    return Job(
        registry.NUCLEUS_COUNT.entry_point,
        code or registry.code_hash(),
        registry.NUCLEUS_COUNT.check(values),
        inputs,
        limits or RunLimits(),
    )
