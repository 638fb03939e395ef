"""Keeping backups: naming their places, listing them, and the duties that make and drill them.

Rules kept here: a place is tried before it is kept; a duty asks the ledger what is due, so that a restart
neither forgets nor repeats; a backup or drill that fails is told to people, and tried again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from coverslip.bootstrap import backupset, wiring
from coverslip.bootstrap.backing import backup, check_places, claim
from coverslip.bootstrap.certifying import last_backup, last_drill, plain
from coverslip.bootstrap.drilling import drill
from coverslip.bootstrap.labs import Lab
from coverslip.bootstrap.places import read_places, write_places
from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.settings import Home
from coverslip.store.certificates import Certificates


def backup_places(root: Path, target: Path | None, keys: Path | None, replica: Path | None) -> dict[str, Any]:
    """Keep places for nightly backups; those left out stay. Return all of them.

    Raises ENVIRONMENT when a place is in or around the installation or the other one, or cannot be made.
    """
    home = Home(root.resolve())
    wiring.installation(home)
    places = read_places(home)
    places = replace(
        places,
        target=_absolute(target, places.target),
        keys=_absolute(keys, places.keys),
        replica=_absolute(replica, places.replica),
    )
    if not places.target:
        raise EnvironmentFault(
            "ENVIRONMENT", what="the target of backups", expected="a folder in --to", found="none",
            remedy="Name it, best on another machine's disk.",
        )  # fmt: skip
    check_places(home, Path(places.target), Path(places.keys) if places.keys else None)
    for path in (Path(places.target), *([Path(places.keys)] if places.keys else [])):
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFault(
                "ENVIRONMENT", what=str(path), expected="a folder that can be made",
                found=error.strerror or str(error), remedy="Mount it, or name another.",
            ) from error  # fmt: skip
    claim(Path(places.target), wiring.installation(home))
    write_places(home, places)
    return asdict(places)


def _absolute(given: Path | None, kept: str) -> str:
    return kept if given is None else str(given.expanduser().absolute())


def backups_kept(root: Path, target: Path | None = None) -> list[dict[str, Any]]:
    """Return the complete backups of a target, oldest first; one whose manifest does not hold says so."""
    home = Home(root.resolve())
    wiring.installation(home)
    place = target or Path(read_places(home).target or ".")
    found: list[dict[str, Any]] = []
    for name in backupset.names(place):
        try:
            one = backupset.opened(place, name, wiring.trusted(home))
        except CoverslipError as error:
            found.append({"name": name, "problem": error.message})
            continue
        said = one.manifest
        found.append(
            {"name": name, "at": said["created_at"], "size": one.size, "manifest": one.hash,
             "objects": said["objects"]["count"], "keys": "apart" if said["keys"] else "none"}
        )  # fmt: skip
    return found


def certificates(root: Path, kind: str) -> list[dict[str, Any]]:
    """Return the certificates of a kind (``backup``, ``vault``), newest first."""
    home = Home(root)
    facts = wiring.installation(home)
    with wiring.database(home), wiring.core(home, size=1) as core:
        return Certificates(core.pool, facts.uuid).newest(kind)


class BackupDuty:
    """Backs up when the newest backup on the ledger is older than asked; does nothing without a target."""

    name = "backup"
    every_s = 600.0

    def __init__(self, lab: Lab, make: Callable[[], list[str]] | None = None) -> None:
        """``make`` makes a backup and returns what it lacks; left out, the real one."""
        self._lab, self._make = lab, make or self._backup

    def do(self) -> None:
        """Back up if it is time."""
        places = read_places(self._lab.core.home)
        if not places.target or not _due(self._lab, last_backup, dt.timedelta(hours=places.every_hours)):
            return
        try:
            lacks = self._make()
        except CoverslipError as error:
            _tell(self._lab, f"The backup failed: {error.message} {error.remedy}", "failed")
            raise
        if lacks:
            _tell(self._lab, f"The backup lacks {len(lacks)} objects: {lacks[0]}", "lacks")

    def _backup(self) -> list[str]:
        return backup(self._lab.core.home.root).lacks


class DrillDuty:
    """Drills the newest backup when the last drill on the ledger is older than asked."""

    name = "restore_drill"
    every_s = 3600.0

    def __init__(self, lab: Lab, run: Callable[[], list[dict[str, Any]]] | None = None) -> None:
        """``run`` drills and returns findings; left out, the real drill."""
        self._lab, self._run = lab, run or self._drill

    def do(self) -> None:
        """Drill if it is time and there is a backup."""
        places = read_places(self._lab.core.home)
        if not places.target or not backupset.names(Path(places.target)):
            return
        if not _due(self._lab, last_drill, dt.timedelta(days=places.drill_days)):
            return
        try:
            findings = self._run()
        except CoverslipError as error:
            _tell(self._lab, f"The restore drill failed: {error.message} {error.remedy}", "drill failed")
            raise
        if findings:
            said = f"The restore drill has {len(findings)} findings: {findings[0]['sentence']}"
            _tell(self._lab, said, "drill")

    def _drill(self) -> list[dict[str, Any]]:
        return drill(self._lab.core.home.root).findings


def _due(lab: Lab, last: Callable[[wiring.Core], dict[str, Any] | None], after: dt.timedelta) -> bool:
    found = last(lab.core)
    if found is None:
        return True
    return (
        dt.datetime.fromisoformat(lab.core.accounts.now()) - dt.datetime.fromisoformat(found["at"]) >= after
    )


def _tell(lab: Lab, sentence: str, bucket: str) -> None:
    day = lab.core.accounts.now()[:10]
    lab.alerts().raise_alert("backup", "critical", plain(sentence, 1000), bucket=f"{bucket}/{day}")
