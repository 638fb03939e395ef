"""A disk whose every flush takes a millisecond longer: our own shim, compiled here, loaded into PostgreSQL
only."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench.rows import NotMeasured

SOURCE = Path(__file__).parent / "native" / "slowsync.c"
MICROSECONDS = 1000


def shim(folder: Path) -> dict[str, str]:
    """Compile the shim into ``folder``; return the environment that loads it.

    Raises NotMeasured where there is no C compiler: without the shim these figures would say nothing.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NotMeasured("the flush shim needs a C compiler (gcc), and there is none")
    target = folder / "slowsync.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(target), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    target.chmod(0o755)
    return {"LD_PRELOAD": str(target), "BENCH_FLUSH_US": str(MICROSECONDS)}
