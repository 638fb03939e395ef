"""Fixtures: one PostgreSQL per test process, one fresh database with an open log per test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fix_faults import faults

__all__ = ["faults"]

if "coverslip_lab" not in sys.modules:
    _path = next(p for p in Path(__file__).resolve().parents if p.name == "tests") / "simulation" / "lab.py"
    _spec = importlib.util.spec_from_file_location("coverslip_lab", _path)
    assert _spec is not None and _spec.loader is not None
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["coverslip_lab"] = _module
    _spec.loader.exec_module(_module)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    lab = sys.modules["coverslip_lab"]
    server = lab.Server()
    yield server
    server.stop()


@pytest.fixture
def lab(postgres: Any) -> Iterator[Any]:
    made = sys.modules["coverslip_lab"].Lab(postgres)
    yield made
    made.close()
