"""Files in by hand, originals and bundles out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

WHY = "the camera computer is broken"


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{name}.tif" for name in ("a", "b")]
    for path in found:
        path.write_bytes(path.name.encode() * 1000)
    return found


def test_files_are_brought_in_in_order_with_the_reason(ada: Any, images: list[Path], lab: Any) -> None:
    ran = ada("ingest", *images, "--session", "ACQ-2026-00001", "--reason", WHY)
    assert ran.code == 0 and "2 of 2 files" in ran.out
    assert [(d["name"], d["sequence"], d["reason"]) for d in lab.deliveries] == [
        ("a.tif", 1, WHY),
        ("b.tif", 2, WHY),
    ]


def test_a_manual_import_names_its_study(ada: Any, images: list[Path], lab: Any) -> None:
    assert ada("ingest", images[0], "--manual", "--study", "STU-0001", "--reason", WHY).code == 0
    assert lab.deliveries[0]["session"] == "STU-0001"


def test_a_file_in_quarantine_is_a_finding_and_says_why(ada: Any, images: list[Path], lab: Any) -> None:
    lab.quarantine.add("b.tif")
    ran = ada("ingest", *images, "--session", "ACQ-2026-00001", "--reason", WHY)
    assert ran.code == 1 and "The file is cut off." in ran.err and "IMG-2026-000001  available" in ran.out


def test_a_refused_file_does_not_stop_the_others(ada: Any, images: list[Path]) -> None:
    ran = ada("ingest", *images, "--session", "ACQ-NONE", "--reason", WHY, "--json")
    assert ran.code == 1 and json.loads(ran.out) == {"images": [], "refused": 2}
    assert ran.err.count("NOT_FOUND: ") == 2


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--session", "ACQ-1", "--manual", "--study", "STU-1"],
        ["--manual"],
        ["--session", "ACQ-1", "--study", "STU-1"],
    ],
)
def test_a_session_or_a_study_is_named_never_both_or_none(
    ada: Any, images: list[Path], lab: Any, options: list[str]
) -> None:
    assert ada("ingest", images[0], *options, "--reason", WHY).code == 2
    assert lab.deliveries == []


def test_without_a_reason_nothing_is_brought_in_by_hand(ada: Any, images: list[Path], lab: Any) -> None:
    assert ada("ingest", images[0], "--session", "ACQ-2026-00001").code == 2
    assert lab.deliveries == []


def test_a_folder_is_no_file(ada: Any, tmp_path: Path) -> None:
    assert ada("ingest", tmp_path, "--session", "ACQ-2026-00001", "--reason", WHY).code == 2


@pytest.fixture
def recorded(ada: Any, images: list[Path]) -> str:
    ran = ada("record", "new", "image", "-f", "name=a", "--file", f"files={images[0]}", "--json")
    return str(json.loads(ran.out)["entries"][0]["number"])


def test_an_original_is_saved_as_recorded(
    ada: Any, recorded: str, images: list[Path], tmp_path: Path
) -> None:
    ran = ada("record", "get", recorded, "a.tif", "--out", tmp_path / "back.tif")
    assert ran.code == 0 and "as recorded" in ran.out
    assert (tmp_path / "back.tif").read_bytes() == images[0].read_bytes()


def test_an_original_that_is_not_as_recorded_is_a_finding_and_not_saved(
    ada: Any, recorded: str, tmp_path: Path, lab: Any
) -> None:
    root = next(iter(lab.files))
    lab.files[root] = b"x" * len(lab.files[root])
    ran = ada("record", "get", recorded, "a.tif", "--out", tmp_path / "back.tif")
    assert ran.code == 1 and ran.err.startswith("EVIDENCE: ") and not (tmp_path / "back.tif").exists()


def test_a_bundle_is_written_once_and_never_over_another_file(
    ada: Any, recorded: str, tmp_path: Path
) -> None:
    out = tmp_path / "bundle.zip"
    assert ada("export", recorded, "--out", out).code == 0
    before = out.read_bytes()
    assert ada("export", recorded, "--out", out, "--filter", "x").code == 2
    assert out.read_bytes() == before
