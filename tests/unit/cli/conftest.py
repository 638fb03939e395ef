"""Fixtures: the command line as people run it, against the laboratory in memory of the client's tests."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coverslip.cli import main

if "coverslip_fake_lab" not in sys.modules:
    _path = Path(__file__).resolve().parents[1] / "client" / "fake_lab.py"
    _spec = importlib.util.spec_from_file_location("coverslip_fake_lab", _path)
    assert _spec is not None and _spec.loader is not None
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["coverslip_fake_lab"] = _module
    _spec.loader.exec_module(_module)
fake: Any = sys.modules["coverslip_fake_lab"]


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, session or folder of whoever runs the tests is seen by a command."""
    for name in ("SERVER", "HOME", "AS", "SESSION", "LOG"):
        monkeypatch.delenv(f"COVERSLIP_{name}", raising=False)
    monkeypatch.setenv("COVERSLIP_SESSION", str(tmp_path / "keep" / "session.json"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process; ``stdin`` is what it may read."""

    def command(*arguments: object, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main([str(a) for a in arguments])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return command


@pytest.fixture
def lab() -> Any:
    return fake.Lab()


@pytest.fixture
def served(lab: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with fake.serving(lab) as path:
        monkeypatch.setenv("COVERSLIP_SERVER", f"unix:{path}")
        yield path


@pytest.fixture
def ada(served: Path, run: Command) -> Command:
    """The command line with Ada signed in."""
    assert run("login", "ada", "--password-stdin", stdin=f"{fake.PASSWORD}\n").code == 0
    return run
