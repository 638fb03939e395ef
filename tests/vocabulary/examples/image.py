"""A raw image, delivered by an instrument's session; by hand where an act asks for it."""

from __future__ import annotations

import os
from typing import Any
from uuid import uuid4

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _read(w: World, _row: Row) -> dict[str, Any]:
    """Return what an import reads from a file never seen before."""
    kept = w.lab.attach(f"{uuid4().hex}.tif", os.urandom(64))
    return {
        "files": [kept],
        "root": kept["root"],
        "format": "tiff",
        "uncalibrated": True,
        "dims": {"x": 8, "y": 8, "z": 1, "c": 1, "t": 1, "levels": 1},
        "checks": [{"check": "parses", "verdict": "pass", "sentence": "The file reads."}],
    }


def _failed(w: World, row: Row) -> dict[str, Any]:
    found = {"check": "parses", "verdict": "fail", "sentence": "The file ends too early."}
    return _read(w, row) | {"checks": [found]}


def _unknown_size(w: World, row: Row) -> dict[str, Any]:
    return _read(w, row) | {"uncalibrated": False}


def _analysed(w: World, row: Row) -> None:
    """Let a run look at the image."""
    images = w.new("image_set", "frozen", study=row.fields["study"]["number"], members=[row.number])
    w.new("analysis_run", "running", study=row.fields["study"]["number"], image_set=images)


EXAMPLE = Example(
    create=lambda w: {
        "name": "A01.tif",
        "study": w.any("study"),
        "session": w.any("acquisition_session"),
        "kind": "raw",
        "manual_import": True,
        "import_reason": "The network was down, so the disk was carried over.",
    },
    acts={"describe": _read, "accept": _read, "quarantine": _failed},
    before={"accept": lambda w, row: w.do(row.number, "verify_import")},
    breaks={
        "accept": {
            "passes its checks": _failed,
            "pixel size is known": _unknown_size,
        },
        "exclude": {"through a reprocessing request": _analysed},
    },
)
