"""Generated pages equal what their generator writes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
GENERATOR = runpy.run_path(str(ROOT / "scripts" / "write_reference.py"))


@pytest.mark.parametrize("name", sorted(GENERATOR["PAGES"]))
def test_a_reference_page_is_what_the_program_says(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == GENERATOR["PAGES"][name](), "run 'make docs'"


def test_no_reference_page_is_written_by_hand() -> None:
    # Figures are written by ``python -m bench --write``, on the machine that they name.
    measured = {"figures.md"}
    assert sorted(p.name for p in FOLDER.glob("*.md")) == sorted(measured | set(GENERATOR["PAGES"]))
