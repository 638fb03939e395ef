"""Accuracy of the bundled nucleus algorithm on hand-annotated fields, per image.

Needs ``COVERSLIP_SAMPLES`` to name a folder with ``nuclei_dsb2018`` (images, labels, counts.csv).
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from bench.rows import NotMeasured, Row, Size, at_least, at_most
from coverslip.analysis.algorithms.nucleus_count import Limits, Parameters, count_nuclei

WANTED = {"mean F1": 0.830, "median F1": 0.883, "median absolute count error": 0.045}


@dataclass(frozen=True)
class Score:
    """One field: truth, count, F1 at an intersection over union of 0.5, and the gates that failed."""

    image: str
    truth: int
    count: int
    f1: float
    flagged: str


def f1_score(found: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> float:
    """Return F1 over objects matched at intersection over union > 0.5 (then matches are one to one)."""
    n, m = int(found.max()), int(truth.max())
    overlap = np.zeros((m + 1, n + 1), np.int64)
    np.add.at(overlap, (truth.ravel().astype(np.int64), found.ravel().astype(np.int64)), 1)
    union = overlap.sum(1)[1:, None] + overlap.sum(0)[None, 1:] - overlap[1:, 1:]
    hits = int((overlap[1:, 1:] / np.maximum(union, 1) > 0.5).sum())
    present = int((overlap.sum(1)[1:] > 0).sum())
    return 2 * hits / (present + n) if present + n else 1.0


def evaluate(folder: Path) -> list[Score]:
    """Score every annotated field."""
    scores = []
    for row in csv.DictReader((folder / "counts.csv").open(encoding="utf-8")):
        name = row["image"]
        pixels = imagecodecs.png_decode((folder / "images" / f"{name}.png").read_bytes())
        truth = imagecodecs.png_decode((folder / "labels" / f"{name}.png").read_bytes())
        field = count_nuclei(pixels, Parameters(), Limits())
        flagged = ", ".join(g.name for g in field.gates if not g.passed)
        present = len(np.unique(truth)) - 1
        scores.append(Score(name, present, field.count, f1_score(field.labels, truth), flagged))
    return scores


def summary(scores: list[Score]) -> dict[str, float]:
    """Return mean and median F1 and the median absolute count error, flagged fields counted as they are."""
    return {
        "mean F1": float(np.mean([s.f1 for s in scores])),
        "median F1": float(np.median([s.f1 for s in scores])),
        "median absolute count error": float(np.median([abs(s.count - s.truth) / s.truth for s in scores])),
    }


def measure(_: Size) -> list[Row]:
    """Return the figures; NotMeasured when there are no samples."""
    samples = os.environ.get("COVERSLIP_SAMPLES")
    if not samples:
        raise NotMeasured("Set COVERSLIP_SAMPLES to a folder of samples.")
    found = summary(evaluate(Path(samples) / "nuclei_dsb2018"))
    return [
        (at_most if "error" in name else at_least)(f"nuclei: {name}", value, "", WANTED[name])
        for name, value in found.items()
    ]
