"""Fixtures: a laboratory in memory behind the real interface, and clients of it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.client import Coverslip

if "coverslip_fake_lab" not in sys.modules:
    _path = Path(__file__).with_name("fake_lab.py")
    _spec = importlib.util.spec_from_file_location("coverslip_fake_lab", _path)
    assert _spec is not None and _spec.loader is not None
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["coverslip_fake_lab"] = _module
    _spec.loader.exec_module(_module)
fake: Any = sys.modules["coverslip_fake_lab"]


@pytest.fixture
def lab() -> Any:
    return fake.Lab()


@pytest.fixture
def socket_path(lab: Any) -> Iterator[Path]:
    with fake.serving(lab) as path:
        yield path


@pytest.fixture
def guest(socket_path: Path) -> Iterator[Coverslip]:
    with Coverslip(f"unix:{socket_path}") as found:
        yield found


@pytest.fixture
def ada(guest: Coverslip) -> Coverslip:
    guest.sign_in("ada", fake.PASSWORD, place="bench-1", zone="Europe/Zurich")
    return guest
