"""Generated pages equal what their generator writes."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_error_reference_is_the_catalogue() -> None:
    written = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    generated = runpy.run_path(str(ROOT / "scripts" / "write_reference.py"))["errors_page"]()
    assert written == generated, "run 'make docs'"
