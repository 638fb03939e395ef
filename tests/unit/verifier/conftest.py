"""Lets tests of this folder import the test laboratory as ``bundle_lab``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if "bundle_lab" not in sys.modules:
    _path = Path(__file__).parents[3] / "tests" / "unit" / "exports" / "bundle_lab.py"
    _spec = importlib.util.spec_from_file_location("bundle_lab", _path)
    assert _spec is not None and _spec.loader is not None
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["bundle_lab"] = _module
    _spec.loader.exec_module(_module)
