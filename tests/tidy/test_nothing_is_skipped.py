"""The rules of ``tests/conftest.py`` hold: a skip is a failure, and no other machine can be called."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CASES = {
    "skip in a test": ("import pytest\ndef test_x():\n    pytest.skip('no database')\n", "no database"),
    "skip by mark": (
        "import pytest\n@pytest.mark.skipif(True, reason='no disk')\ndef test_x():\n    pass\n",
        "no disk",
    ),
    "skip of a module": (
        "import pytest\npytest.importorskip('not_there_at_all')\ndef test_x():\n    pass\n",
        "not_there",
    ),
    "call to another machine": (
        "import socket\ndef test_x():\n    socket.create_connection(('192.0.2.1', 80), timeout=1)\n",
        "this machine only",
    ),
}


ALLOWED = (
    "import socket\ndef test_x():\n    server = socket.create_server(('127.0.0.1', 0))\n"
    "    with server, socket.create_connection(server.getsockname()):\n        pass\n"
)


def run(root: Path, folder: Path, cases: dict[str, str]) -> subprocess.CompletedProcess[str]:
    shutil.copy(root / "tests" / "conftest.py", folder / "conftest.py")
    ini = f"[pytest]\npythonpath = {root / 'src'} {root / 'tests'}\n"
    (folder / "pytest.ini").write_text(ini, encoding="utf-8")
    for name, text in cases.items():
        (folder / f"test_{name}.py").write_text(text, encoding="utf-8")
    flags = ["-q", "-rfE", "-p", "no:cacheprovider", "-p", "no:xdist", "--continue-on-collection-errors"]
    command = [sys.executable, "-m", "pytest", *flags, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def cases(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one run over all cases printed: its start costs more than the cases."""
    done = run(
        root, tmp_path_factory.mktemp("cases"), {_file(case): text for case, (text, _) in CASES.items()}
    )
    assert done.returncode in {1, 2}, done.stdout
    return done.stdout


def _file(case: str) -> str:
    return case.replace(" ", "_")


@pytest.mark.parametrize("case", sorted(CASES))
def test_what_was_not_run_fails(cases: str, case: str) -> None:
    _, why = CASES[case]
    counted = [line for line in cases.splitlines() if f"test_{_file(case)}.py" in line]
    assert any(line.startswith(("FAILED", "ERROR")) for line in counted), cases
    assert why in cases


def test_none_of_them_is_counted_as_skipped_or_passed(cases: str) -> None:
    last = cases.splitlines()[-1]
    assert "skipped" not in last
    assert "passed" not in last


def test_a_test_on_this_machine_passes(root: Path, tmp_path: Path) -> None:
    done = run(root, tmp_path, {"allowed": ALLOWED})
    assert done.returncode == 0, done.stdout
