"""Small C libraries for tests, compiled when asked for: faults that only the system's own calls can make."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

_SOURCES = Path(__file__).parent / "native"


@pytest.fixture(scope="session")
def native(cluster_root: Path) -> Callable[[str], Path]:
    """Return ``compiled(name)``: the path of the library of ``tests/native/NAME.c``, readable by all."""

    def compiled(name: str) -> Path:
        compiler = shutil.which("cc") or shutil.which("gcc")
        assert compiler, "these tests need a C compiler: apt-get install gcc libc6-dev"
        library = cluster_root / f"{name}.so"
        if not library.exists():
            command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library)]
            subprocess.run([*command, str(_SOURCES / f"{name}.c"), "-ldl"], check=True, timeout=60)
            library.chmod(0o755)
        return library

    return compiled
