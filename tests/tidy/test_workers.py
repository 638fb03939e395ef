"""How ``make test`` shares tests out: what a module makes once is made by one worker."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import os, pathlib, pytest
@pytest.fixture(scope="module")
def made():
    with (pathlib.Path(__file__).parent.parent / "made").open("a") as out:
        out.write(os.environ["PYTEST_XDIST_WORKER"] + " " + __file__ + "\\n")
@pytest.mark.parametrize("n", range(6))
def test_x(made, n):
    pass
"""
MODULES = ("unit/test_a.py", "unit/test_b.py", "unit/test_c.py", "e2e/test_y.py", "e2e/test_z.py")


def flags(root: Path) -> list[str]:
    """Return the flags with which the Makefile has tests shared out."""
    text = (root / "Makefile").read_text("utf-8")
    said = re.search(r"^BY_MODULE := (.+)$", text, re.MULTILINE)
    assert said and "$(BY_MODULE) $(PYTEST_ARGS) tests" in text
    return said[1].split()


@pytest.fixture(scope="module")
def made(root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Run a few modules as ``make test`` does; return by which worker each was made, in order of time."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "conftest.py").write_bytes((root / "tests" / "conftest.py").read_bytes())
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {root / 'src'} {root / 'tests'}\n", "utf-8")
    for name in MODULES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(MODULE, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", *flags(root), str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (folder / "made").read_text("utf-8").splitlines()
    return [(worker, str(Path(path).relative_to(folder))) for worker, path in map(str.split, lines)]


def test_what_a_module_shares_is_made_once_and_both_workers_have_work(made: list[tuple[str, str]]) -> None:
    assert sorted(module for _, module in made) == sorted(MODULES)
    assert {worker for worker, _ in made} == {"gw0", "gw1"}


def test_what_takes_minutes_is_begun_first_in_any_order(made: list[tuple[str, str]]) -> None:
    first = {worker: next(module for w, module in made if w == worker) for worker in ("gw0", "gw1")}
    assert all(module.startswith("e2e/") for module in first.values())
