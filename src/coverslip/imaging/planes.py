"""One plane of an image as an array, decoded in the isolated process.

The array has the file's own type and values: shape (y, x), or (y, x, samples) for colour. Which
decoders made it is part of the answer, because lossy files decode differently elsewhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coverslip.imaging.isolated import ask
from coverslip.imaging.metadata import Limits, Refusal


@dataclass(frozen=True, slots=True)
class Plane:
    """Pixels and how they were made. ``page`` is the page in the file the plane came from, from 0."""

    pixels: npt.NDArray[Any]
    page: int
    lossy: bool
    reader: str
    reader_version: str
    decoders: Mapping[str, str]


def read_plane(
    path: Path, c: int = 0, z: int = 0, t: int = 0, limits: Limits | None = None
) -> Plane | Refusal:
    """Return the plane at channel, depth and time (each from 0), or why it cannot be had.

    Raises:
        EnvironmentFault: ENVIRONMENT, no reader process can be started.
    """
    given = limits or Limits.for_size(path.stat().st_size)
    with tempfile.TemporaryDirectory(prefix="coverslip-plane-") as folder:
        output = Path(folder) / "plane.npy"
        answer = ask("plane", path, given, c=c, z=z, t=t, output=str(output))
        if isinstance(answer, Refusal):
            return answer
        try:
            pixels = np.load(output, allow_pickle=False)
            return Plane(
                pixels,
                int(answer["page"]),
                bool(answer["lossy"]),
                str(answer["reader"]),
                str(answer["reader_version"]),
                {str(name): str(version) for name, version in answer["decoders"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return Refusal("parses", "a plane from the reader", f"something else: {error}"[:400])
