"""The doctor's look at the machine: who may read the home's files, under whose account things run, room.

Rules kept here: the files' modes and owners are looked at, never their contents; of the signing key, whether
it is the log's own.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from coverslip.bootstrap import signing, wiring
from coverslip.bootstrap.doctor_line import Check, judge, looked, softer
from coverslip.bootstrap.places import read_places
from coverslip.settings import Home
from coverslip.store.server import Cluster

GIB = 1024**3
LEAST_FREE = 5 * GIB
_CLOSED = "files of mode 0600 in folders of mode 0700, of the home's owner"


def checks(home: Home) -> list[Check]:
    """Return every check that needs no database."""
    return [
        looked("secrets are private", _CLOSED, lambda: secrets(home)),
        looked("the home is private", "nobody else reads or writes it", lambda: private(home)),
        looked(signing.CHECK, "the log's key", lambda: signing.check(home)),
        looked("roles run as separate OS users", "accounts apart", lambda: accounts(home)),
        *(looked(f"room for the {name}", "5 GiB free", lambda n=name, p=path: room(n, p))  # type: ignore[misc]
          for name, path in volumes(home)),
        looked("PostgreSQL comes from the system", "programs the site maintains", lambda: programs(home)),
        looked("a backup target is named", "a place outside the home", lambda: backup(home)),
    ]  # fmt: skip


def secret_files(home: Home) -> Iterator[Path]:
    """Yield every file that holds a secret, and the folders they lie in."""
    yield from (home.secrets, home.signer, home.export_key.parent)
    yield from home.secrets.iterdir()
    yield from home.signer.glob("*.key")
    yield from home.export_key.parent.glob("*.key")


def secrets(home: Home) -> Check:
    """Find secrets that others than the home's owner may read, or that belong to somebody else."""
    owner = home.root.stat().st_uid
    bad = []
    for path in secret_files(home):
        found = path.lstat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            bad.append(f"{path.relative_to(home.root)} is no plain file")
        elif stat.S_IMODE(found.st_mode) & 0o077:
            bad.append(f"{path.relative_to(home.root)} has mode {stat.S_IMODE(found.st_mode):04o}")
        elif found.st_uid != owner:
            bad.append(f"{path.relative_to(home.root)} belongs to uid {found.st_uid}")
    remedy = "chmod 0600 the files (0700 the folders) named; make secrets anew that others may have read."
    return judge("secrets are private", not bad, _CLOSED, "; ".join(bad) or "as expected", remedy)


def private(home: Home) -> Check:
    """Find parts of the home that others may read or write, and folders above it that anybody may rename in.

    Passing through (mode 0711) is allowed: the database's own account may need it.
    """
    bad = []
    for path in (home.root, home.vault, home.logs, home.anchors.parent, home.run):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o066:
            bad.append(f"{path} has mode {stat.S_IMODE(path.stat().st_mode):04o}")
    for parent in home.root.resolve().parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            bad.append(f"anybody may rename in {parent}")
    remedy = "chmod go-rw the folders named."
    expected = "nobody else reads or writes it"
    return judge("the home is private", not bad, expected, "; ".join(bad) or "as expected", remedy)


def accounts(home: Home) -> Check:
    """Say under which accounts the parts run: 'serve' runs all its children under its own."""
    own = f"signer, sequencer, worker, keeper and web as uid {home.root.stat().st_uid}"
    cluster = wiring.cluster_of(home)
    database = cluster.status().run_as if isinstance(cluster, Cluster) else "a server of the site"
    remedy = (
        "'serve' runs its parts under one account: whoever gets into one may read the others' keys."
        " In production keep the signer's key on another account or host, and witness from another machine."
    )
    found = f"{own}; database: {database or 'the same'}"
    return Check("roles run as separate OS users", softer(home), "accounts apart", found, remedy)


def volumes(home: Home) -> list[tuple[str, Path]]:
    """Return what fills up: name and folder, one for each file system."""
    found: dict[int, tuple[str, Path]] = {}
    for name, path in (("database", home.database), ("vault", home.vault), ("home", home.root)):
        if path.exists():
            device = path.stat().st_dev
            known = found.get(device)
            found[device] = (f"{known[0]} and {name}" if known else name, path)
    return list(found.values())


def room(name: str, path: Path) -> Check:
    """Compare free space with the least that should be there."""
    free = shutil.disk_usage(path).free
    text = f"{free / GIB:.1f} GiB free at {path}"
    return judge(f"room for the {name}", free >= LEAST_FREE, "5 GiB free", text, "Free or add space.")


def programs(home: Home) -> Check:
    """Find the evaluation wheel's server in an installation that is none."""
    cluster = wiring.cluster_of(home)
    name, expected = "PostgreSQL comes from the system", "programs the site maintains"
    if not isinstance(cluster, Cluster):
        return Check(name, "ok", expected, "a server of the site")
    programs = cluster.binaries()
    remedy = "Install PostgreSQL from the system's packages: the bundled one gets no security updates."
    found = f"PostgreSQL {programs.label}, {programs.origin}"
    return judge(name, programs.origin == "system", expected, found, remedy, softer(home))


def backup(home: Home) -> Check:
    """Ask whether a place for backups is named, reachable, and outside the home."""
    target = read_places(home).target
    name, expected = "a backup target is named", "a place outside the home"
    remedy = "Name one: 'coverslip backup --to FOLDER --set-target'."
    if not target:
        return Check(name, softer(home), expected, "none", remedy)
    if not os.access(target, os.W_OK):
        return Check(name, "finding", expected, f"{target} cannot be written", "See that it is mounted.")
    same = Path(target).stat().st_dev == home.root.stat().st_dev
    found = f"{target}{', on the same file system as the home' if same else ''}"
    return judge(name, not same, expected, found, "Keep backups on other storage.", softer(home))
