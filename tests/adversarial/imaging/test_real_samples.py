"""Real files are read without a false alarm, and every one of them cut short is noticed.

The shipped demo images are always used; COVERSLIP_SAMPLES may name a folder with many more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import coverslip.cli.demo
from coverslip.imaging import ImageMetadata, Refusal, inspect

DEMO = Path(next(iter(coverslip.cli.demo.__path__))) / "images"
FOLDERS = [DEMO, *(Path(name) for name in [os.environ.get("COVERSLIP_SAMPLES", "")] if name)]
ENDINGS = {".tif", ".tiff", ".png", ".jpg", ".svs"}
EXPECTED = {"calibration", "lossy", "companion", "orientation"}
PER_FOLDER = 2


def samples(folder: Path) -> Iterator[Path]:
    """At most two files of each kind from each folder below ``folder``."""
    taken: dict[tuple[Path, str], int] = {}
    for path in sorted(folder.rglob("*")):
        key = (path.parent, path.suffix.lower())
        if path.suffix.lower() in ENDINGS and "truncated" not in path.name and taken.get(key, 0) < PER_FOLDER:
            taken[key] = taken.get(key, 0) + 1
            yield path


@pytest.mark.parametrize("folder", FOLDERS, ids=["shipped", "samples"][: len(FOLDERS)])
def test_whole_real_files_have_no_false_alarm_and_cut_ones_are_noticed(folder: Path, tmp_path: Path) -> None:
    files = list(samples(folder))
    assert files
    for path in files:
        whole = inspect(path)
        assert isinstance(whole, ImageMetadata), (path.name, whole)
        assert {item.check for item in whole.failed()} <= EXPECTED, (path.name, whole.failed())
        cut = tmp_path / path.name
        cut.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
        answer = inspect(cut)
        noticed = isinstance(answer, Refusal) or answer.failed("truncated", "decodes", "planes", "segments")
        assert noticed, path.name
        cut.unlink()
