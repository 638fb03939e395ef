"""The first command of a newcomer says clearly what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def find_python(root: Path, path: Path) -> subprocess.CompletedProcess[str]:
    command = ["/bin/bash", str(root / "scripts" / "find_python.sh")]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": str(path)})


def launcher(folder: Path, name: str, does: str) -> None:
    (folder / name).write_text(f"#!/bin/bash\n{does}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def test_no_python_is_said_in_a_sentence(root: Path, tmp_path: Path) -> None:
    done = find_python(root, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Coverslip needs Python 3.11 or newer") and "python3-venv" in done.stderr
    assert done.stdout == ""


def test_a_launcher_that_cannot_start_is_passed_over(root: Path, tmp_path: Path) -> None:
    launcher(tmp_path, "python3.13", "echo command not found >&2; exit 127")
    launcher(tmp_path, "python3", f'exec {sys.executable} "$@"')
    done = find_python(root, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "python3")


def test_a_python_that_is_too_old_is_not_taken(root: Path, tmp_path: Path) -> None:
    launcher(tmp_path, "python3", "exit 1")
    assert find_python(root, tmp_path).returncode == 1
