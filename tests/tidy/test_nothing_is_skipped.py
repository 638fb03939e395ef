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


def run(root: Path, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(root / "tests" / "conftest.py", folder / "conftest.py")
    ini = f"[pytest]\npythonpath = {root / 'src'} {root / 'tests'}\n"
    (folder / "pytest.ini").write_text(ini, encoding="utf-8")
    (folder / "test_case.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("case", sorted(CASES))
def test_what_was_not_run_fails(root: Path, tmp_path: Path, case: str) -> None:
    text, why = CASES[case]
    done = run(root, tmp_path, text)
    assert done.returncode in {1, 2}, done.stdout
    assert why in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


def test_a_test_on_this_machine_passes(root: Path, tmp_path: Path) -> None:
    text = (
        "import socket\ndef test_x():\n    server = socket.create_server(('127.0.0.1', 0))\n"
        "    with server, socket.create_connection(server.getsockname()):\n        pass\n"
    )
    done = run(root, tmp_path, text)
    assert done.returncode == 0, done.stdout
