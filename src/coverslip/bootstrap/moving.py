"""Moving: an installation from one major version of PostgreSQL to another.

Rules kept here:

* The old data is read and nothing else; it is kept beside the new, under the name of its major version.
* The new database gets its schema from the published migrations and its rows from one snapshot. It takes the
  place of the old one only when every check gives the same on both, without a finding.
* An interruption leaves the old installation, or the new one, whole; the next run carries on.
* On the site's own server the site moves the data; here the evidence is checked and the new version pinned.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg

from coverslip.bootstrap import checking, wiring
from coverslip.bootstrap.migrating import Migrated, alone, bring_up, write_manifest
from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.settings import Home
from coverslip.store import copying, startup
from coverslip.store.definitions import told
from coverslip.store.migrate import migrate as apply_migrations
from coverslip.store.server import Cluster, SiteServer, files as private, find_binaries
from coverslip.store.signer import read_journal

Progress = Callable[[str], None]

SCRATCH: Final = "moving"
_LEFT: Final = ("postgres", SCRATCH, "vault", "run", "logs", "signer", "export")
"""What the checks of a database do not need of a home; of the signer they need the journal alone."""


def move(root: Path, major: int, database_url: str = "", progress: Progress = lambda _: None) -> Migrated:
    """Bring an installation to another major version of PostgreSQL, and to this release.

    Raises:
        EnvironmentFault: a server runs, programs of either version are missing, the site's server is not of
            ``major``. Nothing was changed.
        EvidenceBroken: the old database does not hold, or the new one is not the same.
    """
    home = Home(root.resolve())
    facts = wiring.installation(home)
    with alone(home):
        if facts.database is not None:
            return _repin(home, SiteServer(home.root, facts.database, None), major, database_url, progress)
        return _move(home, facts.use, major, progress)


# --- a database of our own -----------------------------------------------------------------------------


def _move(home: Home, use: str, major: int, progress: Progress) -> Migrated:
    _finish(home, major)
    old = Cluster(home.root, use)
    before, moved = old.major(), dict[str, Any]()
    if before is None:
        raise _fault("the database of this home", "a data directory", "none")
    done = Migrated()
    if before != major:
        find_binaries(use=use, major=major)
        with old.running():
            done = bring_up(home)  # the checks are this release's, and need its schema
        size, tree_root = _copy(home, old, Cluster(_scratch(home), use, pinned=major), progress)
        moved = {"from": str(before), "to": str(major), "size": size, "root": tree_root}
        _swap(home, before, major)
    progress("entering it on the log")
    with wiring.database(home):
        last = bring_up(home, moved=moved or _entered_late(home, major))
    return Migrated(
        done.applied + last.applied, done.defined + last.defined, done.entries + last.entries, last.moved
    )


def _scratch(home: Home) -> Path:
    """Return a new private folder in the home that looks like a home to every check of its database."""
    scratch = home.root / SCRATCH
    if scratch.exists():
        Cluster(scratch, wiring.installation(home).use).stop("immediate")
        shutil.rmtree(scratch)
    found = home.root.stat()
    private.private_folder(scratch, found.st_uid, found.st_gid)
    for source in home.root.iterdir():
        if source.name in _LEFT or source.name.startswith("postgres-"):
            continue
        if source.is_dir():
            shutil.copytree(source, scratch / source.name, copy_function=_copy_owned)
            _copy_owned_folder(source, scratch / source.name)
        else:
            _copy_owned(source, scratch / source.name)
    (scratch / "signer").mkdir(mode=0o700)
    _copy_owned(home.signer / "journal", scratch / "signer" / "journal")
    value = json.loads((scratch / "coverslip.json").read_text("utf-8"))
    value.pop("postgres_major", None)
    write_manifest(Home(scratch), value)
    return scratch


def _copy_owned(source: Any, target: Any) -> Any:
    shutil.copy2(source, target)
    found = os.stat(source)
    os.chown(target, found.st_uid, found.st_gid)
    return target


def _copy_owned_folder(source: Path, target: Path) -> None:
    found = source.stat()
    os.chown(target, found.st_uid, found.st_gid)
    target.chmod(found.st_mode & 0o777)


def _copy(home: Home, old: Cluster, new: Cluster, progress: Progress) -> tuple[int, str]:
    """Fill the new cluster and compare; return size and root (hex) of the tree, the same in both."""
    new.create()
    with old.running():
        progress("checking the old database")
        held = _checked(home.root, "the old database")
        with new.running():
            new.create_roles()
            with (
                psycopg.connect(**old.dsn("cs_superuser"), autocommit=True) as source,
                psycopg.connect(**new.dsn("cs_superuser"), autocommit=True) as target,
            ):
                apply_migrations(_conninfo(new), level=copying.applied_through(source))
                copying.transfer(source, target, progress)
                target.execute("analyze")
            progress("checking the new database")
            same = _checked(new.home, "the new database")
    if same != held:
        raise EvidenceBroken("EVIDENCE", what="the new database", expected=str(held), found=str(same))
    return int(held["size"]), str(held["root"])


def _conninfo(cluster: Cluster) -> str:
    return psycopg.conninfo.make_conninfo(**cluster.dsn("cs_superuser"))


def _checked(root: Path, what: str) -> dict[str, Any]:
    """Return what the checks counted and where the tree stands; refuse any finding."""
    said: dict[str, Any] = {}
    for check in (checking.ledger_verify, checking.ledger_replay):
        findings, counts = check(root)
        if findings:
            raise EvidenceBroken(
                "EVIDENCE", what=what, expected="no finding", found=str(findings[0]["sentence"])
            )
        # How many objects a server's catalog lists is its own affair; that they are as published was checked.
        said |= {name: count for name, count in counts.items() if name != "guards"}
    with wiring.connection(Home(root), "cs_verifier") as conn:
        journal = read_journal(root / "signer" / "journal")
        said["size"] = startup.compare(conn, journal[-1] if journal else None).size
        said["root"] = startup.tree_root(conn).hex()
    return said


def _swap(home: Home, before: int, after: int) -> None:
    """Put the new data in the place of the old: two renames; ``_finish`` completes one cut short."""
    _rename(home.root / "postgres", _free(home.root / f"postgres-{before}"))
    _finish(home, after)


def _finish(home: Home, major: int) -> None:
    """Complete a swap that was begun, and pin the version."""
    new = home.root / SCRATCH / "postgres"
    if not (home.root / "postgres").exists() and new.exists():
        _rename(new, home.root / "postgres")
        value = json.loads(home.manifest.read_text("utf-8"))
        write_manifest(home, value | {"postgres_major": major})
        shutil.rmtree(home.root / SCRATCH)


def _rename(source: Path, target: Path) -> None:
    source.rename(target)
    private.sync_folder(target.parent)


def _free(path: Path) -> Path:
    """Return the path, or a numbered one where an earlier move left its data."""
    tried, n = path, 1
    while tried.exists():
        n += 1
        tried = path.with_name(f"{path.name}.{n}")
    return tried


def _entered_late(home: Home, major: int) -> dict[str, Any]:
    """Return what to enter of a move that was interrupted before it was entered, if there was one."""
    with wiring.connection(home, "cs_verifier") as conn:
        last = told(conn).server
    kept = sorted(home.root.glob("postgres-*"))
    if not kept or last == str(major):
        return {}
    return {"from": last or kept[-1].name.split("-")[1].split(".")[0], "to": str(major)}


# --- the site's server ---------------------------------------------------------------------------------


def _repin(home: Home, server: SiteServer, major: int, url: str, progress: Progress) -> Migrated:
    found, facts = server.major(), wiring.installation(home)
    if found != major:
        raise _fault(f"the server {server.address}", f"PostgreSQL {major}", f"PostgreSQL {found}")
    before = facts.postgres_major
    if before == found:
        return bring_up(home, url)
    value = json.loads(home.manifest.read_text("utf-8"))
    write_manifest(home, value | {"postgres_major": found})
    try:
        server.require()
        progress("checking the upgraded database")
        said = _checked(home.root, "the upgraded database")
    except BaseException:  # whatever stopped it, the home stays pinned to what was checked; raised again
        write_manifest(home, value)
        raise
    moved = {"from": str(before), "to": str(found), "size": said["size"], "root": said["root"]}
    return bring_up(home, url, moved)


def _fault(what: str, expected: str, found: str) -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found)
