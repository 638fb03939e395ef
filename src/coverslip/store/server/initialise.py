"""initdb, so that a data directory is there complete or not at all.

Rules kept here:

* initdb works in a draft folder that is renamed when done and durable.
* The secret goes to initdb in a file of mode 0600 that only the server's account can read, and
  which is removed whatever happens.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from coverslip.errors import EnvironmentFault
from coverslip.store.server import config, files
from coverslip.store.server.binaries import Binaries
from coverslip.store.server.osuser import RunAs

CTYPES = ("C.UTF-8", "C")
"""Character classes tried in turn. Sorting is always by code point (``C``): an index must not
depend on the locale tables of the machine it was copied to."""


def make_data(data: Path, programs: Binaries, way: RunAs, secret: str, environment: dict[str, str]) -> None:
    """Make ``data`` with checksums, UTF-8 and SCRAM. Raises EnvironmentFault with initdb's words."""
    draft, password = data.with_name("data.draft"), data.with_name(".initial")
    owner = way.file_owner
    said = ""
    files.private_folder(password, *owner)
    try:
        files.write_private(password / "secret", secret + "\n", *owner)
        for ctype in CTYPES:
            _clear(draft)
            files.private_folder(draft, *owner)
            done = _run(programs, way, draft, password / "secret", ctype, environment)
            if done.returncode == 0:
                os.rename(draft, data)
                files.sync_folder(data.parent)
                return
            said = " ".join((done.stderr or done.stdout).split())[-800:]
    finally:
        _clear(password)
        _clear(draft)
    raise EnvironmentFault(
        "ENVIRONMENT",
        what=f"initdb of PostgreSQL {programs.label} in {data.parent}",
        expected="a new data directory",
        found=said,
        remedy="Correct what initdb names (space, permissions, shared memory), then repeat.",
    )


def _run(
    programs: Binaries, way: RunAs, draft: Path, password: Path, ctype: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    argv = [
        str(programs.program("initdb")),
        "--pgdata",
        str(draft),
        "--username",
        config.SUPERUSER,
        "--pwfile",
        str(password),
        "--auth",
        "scram-sha-256",
        "--data-checksums",
        "--encoding",
        "UTF8",
        "--locale",
        "C",
        "--lc-collate",
        "C",
        "--lc-ctype",
        ctype,
        "--no-instructions",
    ]
    return subprocess.run(
        way.command(argv),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd="/",
        env=environment,
        **way.options(),
    )


def _clear(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
