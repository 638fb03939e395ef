"""Under which operating-system account the server runs. PostgreSQL refuses to run as root.

Rules kept here:

* An ordinary account runs the server as itself. Root gives it away, by the first way that works:
  the owner of the home; the account ``coverslip``; a user namespace that shows another id (files
  stay root's); the account ``postgres``; ``nobody``. A way is proven by running the server's
  program in it, not by looking at the system.
* The way is recorded in ``HOME/postgres/run-as.json``, which the server's account cannot write.
* A namespace takes all capabilities away, but files owned by root remain open to the server; an
  account of its own (``coverslip``) separates better and comes first for that reason.
* A refusal names every way tried and what stopped it.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coverslip.errors import EnvironmentFault

Way = Literal["self", "owner", "namespace", "user"]

ACCOUNTS = ("coverslip", "postgres", "nobody")
_OVERFLOW_ID = 65534
_KEPT_ENVIRONMENT = ("LD_PRELOAD", "LD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True, slots=True)
class RunAs:
    """How to run a program for the server: the way, and the account it sees itself as."""

    way: Way
    name: str
    uid: int
    gid: int

    @property
    def file_owner(self) -> tuple[int, int]:
        """(uid, gid) that the server's files carry on disk."""
        return (os.geteuid(), os.getegid()) if self.way in ("self", "namespace") else (self.uid, self.gid)

    def command(self, argv: list[str]) -> list[str]:
        """Return ``argv`` as it must be started; the process id stays that of the program."""
        if self.way != "namespace":
            return argv
        return ["unshare", "--user", f"--map-user={self.uid}", f"--map-group={self.gid}", "--", *argv]

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of ``subprocess`` that go with :meth:`command`."""
        if self.way in ("self", "namespace"):
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0o077}

    def as_json(self) -> str:
        """Return the content of run-as.json."""
        return json.dumps({"way": self.way, "name": self.name, "uid": self.uid, "gid": self.gid}) + "\n"


def child_environment(extra: dict[str, str]) -> dict[str, str]:
    """Return the whole environment of the server's programs: nothing of ours, no PG variable."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", **kept, **extra}


def read_record(path: Path) -> RunAs | None:
    """Return the recorded way; None when none is recorded or the record is not one of ours."""
    try:
        data = json.loads(path.read_text("utf-8"))
        way, name, uid, gid = data["way"], data["name"], data["uid"], data["gid"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    known = way in ("self", "owner", "namespace", "user")
    return RunAs(way, str(name), int(uid), int(gid)) if known else None


def choose(home: Path, program: Path, recorded: RunAs | None, only: Way | None = None) -> RunAs:
    """Return the first way in which ``program`` runs and ``home`` can be reached.

    ``recorded`` is tried first, ``only`` restricts the ways. May open ``home`` itself for the
    chosen account to pass through (never to list). Raises EnvironmentFault naming every way tried.
    """
    if os.geteuid() != 0:
        return _ordinary(home)
    found: list[str] = []
    for way in _ways(home, recorded):
        if only is not None and way.way != only:
            continue
        obstacle = _obstacle(way, home, program)
        if obstacle is None:
            return way
        found.append(f"{way.way} {way.name}: {obstacle}")
    raise EnvironmentFault(
        "ENVIRONMENT",
        what=f"an account for the database server of {home}",
        expected="one that is not root, can enter the home and run PostgreSQL",
        found="; ".join(found) or f"no way '{only}' here",
        remedy="Run Coverslip as an ordinary account that owns the home; or place the home where every "
        "folder above it may be entered by others (chmod o+x); or allow user namespaces for root; "
        "or add an operating-system account 'coverslip'.",
    )


def _ordinary(home: Path) -> RunAs:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    if home.stat().st_uid != uid or not os.access(home, os.W_OK | os.X_OK):
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=f"home {home}",
            expected=f"owned by and open to the account running it ({name})",
            found=f"owner {home.stat().st_uid}, mode {stat.filemode(home.stat().st_mode)}",
            remedy=f"Run as the owner of the home, or give it away with 'chown -R {name} {home}'.",
        )
    return RunAs("self", name, uid, os.getegid())


def _ways(home: Path, recorded: RunAs | None) -> list[RunAs]:
    owner = home.stat().st_uid
    if owner != 0:
        # The home is an ordinary account's: running as anyone else would take its files from it.
        return [RunAs("owner", str(owner), owner, home.stat().st_gid)]
    accounts = [RunAs("user", name, *ids) for name in ACCOUNTS if (ids := _ids(name)) is not None]
    dedicated = [way for way in accounts if way.name == "coverslip"]
    others = [way for way in accounts if way.name != "coverslip"]
    ways = [*dedicated, *_namespace(), *others]
    return sorted(ways, key=lambda way: way != recorded)


def _ids(name: str) -> tuple[int, int] | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def _namespace() -> list[RunAs]:
    # initdb looks its own id up, so it must be one the system knows; the overflow id would make
    # unmapped owners look like our own.
    known = [e for e in pwd.getpwall() if e.pw_uid not in (0, _OVERFLOW_ID) and e.pw_gid != 0]
    if shutil.which("unshare") is None or not known:
        return []
    best = min(known, key=lambda e: (e.pw_name not in ACCOUNTS, e.pw_uid))
    return [RunAs("namespace", best.pw_name, best.pw_uid, best.pw_gid)]


def _obstacle(way: RunAs, home: Path, program: Path) -> str | None:
    said = _try(way, [str(program), "--version"])
    if said is not None:
        return said
    if way.way in ("self", "namespace"):
        return None
    blocked = _blocked_at(way, home)
    if blocked == home and home.stat().st_uid == 0:
        _let_pass(home, way.gid)
        blocked = _blocked_at(way, home)
    if blocked is None:
        return None
    return f"may not enter {blocked} (mode {stat.filemode(blocked.stat().st_mode)})"


def _blocked_at(way: RunAs, path: Path) -> Path | None:
    """Return the topmost folder on the way to ``path`` that the account may not enter."""
    if _try(way, ["test", "-x", str(path)]) is None:
        return None
    above = [*reversed(path.parents), path]
    return next((folder for folder in above if _try(way, ["test", "-x", str(folder)]) is not None), None)


def _let_pass(home: Path, gid: int) -> None:
    """Let the account's group through ``home``; other groups only where one already has rights."""
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o070:
        home.chmod(mode | 0o001)
        return
    os.chown(home, -1, gid)
    home.chmod(mode | 0o010)


def _try(way: RunAs, argv: list[str]) -> str | None:
    """Run ``argv`` that way; None when it succeeded, else what stopped it."""
    try:
        done = subprocess.run(
            way.command(argv),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            cwd="/",
            env=child_environment({}),
            **way.options(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return " ".join(done.stderr.split()) or f"{argv[0]} ended with {done.returncode}"
