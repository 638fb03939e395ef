"""Reading micrographs without trusting them: metadata, planes and the checks made at ingest.

Rules kept by this package:

* Files are parsed and decoded in a separate, limited process; this one never touches their bytes.
* Pixels are returned as stored: no scaling, no rotation, no colour conversion, never a plane that
  is not in the file.
* "Could not check" is a refusal or a failed finding, never silence.
"""

from __future__ import annotations

from pathlib import Path

from coverslip.imaging.checks import CheckResult, SessionFacts, ingest_checks
from coverslip.imaging.isolated import ask
from coverslip.imaging.metadata import (
    AnswerError,
    Channel,
    Dims,
    Finding,
    ImageMetadata,
    Limits,
    Refusal,
)
from coverslip.imaging.planes import Plane, read_plane

__all__ = [
    "Channel",
    "CheckResult",
    "Dims",
    "Finding",
    "ImageMetadata",
    "Limits",
    "Plane",
    "Refusal",
    "SessionFacts",
    "ingest_checks",
    "inspect",
    "read_plane",
]


def inspect(path: Path, limits: Limits | None = None, name: str | None = None) -> ImageMetadata | Refusal:
    """Read a file's metadata and check the file, in an isolated process.

    ``name`` is the file's own name where ``path`` is not (an object in the vault); its extension is
    held against the content. Without ``limits``, the times allowed grow with the file.

    Raises:
        EnvironmentFault: ENVIRONMENT, no reader process can be started.
    """
    given = limits or Limits.for_size(path.stat().st_size)
    answer = ask("inspect", path, given, name=name if name is not None else path.name)
    if isinstance(answer, Refusal):
        return answer
    try:
        return ImageMetadata.from_answer(answer.get("metadata"))
    except AnswerError as error:
        return Refusal("parses", "a reader's answer of the agreed shape", str(error))
