"""The restore drill: a backup brought to life in scratch space and compared with the live system.

Rules kept here (P11-10-c.4):

* The drill changes nothing of the live system, but leaves its certificate, an entry that is written whether
  the backup holds, differs or cannot be restored; and, where it was compared, a restore test to be signed.
* Everything is looked at: every file and object of the backup by hash; in the restored database every entry,
  signature and projection; then everything it holds against what is live, entry by entry.
* Scratch space is emptied afterwards, however the drill ends. It never holds a key.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from coverslip import __version__
from coverslip.bootstrap import backupset, checking, restoring, wiring
from coverslip.bootstrap.backupset import Backup, Progress
from coverslip.bootstrap.certifying import certify, plain, settle
from coverslip.bootstrap.labs import lab
from coverslip.bootstrap.places import read_places
from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.kernel.change import Change
from coverslip.kernel.clock import monotonic_s
from coverslip.records.quality.restore_test import TYPE as RESTORE_TEST
from coverslip.settings import Home
from coverslip.store import backup as database, comparing
from coverslip.store.findings import Report
from coverslip.store.migrate import migrate
from coverslip.vault.local import LocalVault

_KEPT: Final = 100
_ROOM: Final = 4

Finding = dict[str, Any]


@dataclass
class Drilled:
    """What a drill found. ``result``: holds, differs, refused or undetermined."""

    backup: str = ""
    manifest: str = ""
    size: int = 0
    result: str = "undetermined"
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: int = 0
    certificate: str = ""
    """Why there is no certificate on the ledger; empty: there is one."""
    record: str = ""
    """Number of the restore test that waits for its review."""


def drill(
    root: Path,
    source: Path | None = None,
    *,
    name: str = "",
    scratch: Path | None = None,
    progress: Progress = lambda _: None,
) -> Drilled:
    """Restore a backup into scratch space, compare it with the live system, and enter a certificate.

    ``source`` left out is the target named before. ``scratch`` is an existing folder with room.

    Raises:
        EnvironmentFault: something could not be done; the certificate then says *undetermined*.
    """
    home = Home(root.resolve())
    wiring.installation(home)
    kept = read_places(home).target
    place = source.absolute() if source else Path(kept) if kept else None
    if place is None:
        raise EnvironmentFault(
            "ENVIRONMENT", what="the backup to restore", expected="a folder in --from", found="none",
            remedy="Name the folder of backups, or keep one with 'coverslip backup --set-target'.",
        )  # fmt: skip
    done, began = Drilled(), monotonic_s()
    with wiring.database(home):
        try:
            _drill(home, place, name, scratch, done, progress)
            done.result = "differs" if done.findings else "holds"
        except EnvironmentFault as error:
            done.findings.append(_finding("undetermined", error.message))
            done.seconds = round(monotonic_s() - began)
            _certify(home, done)
            raise
        except CoverslipError as error:
            done.result = "refused"
            done.findings.append(_finding("backup", f"the backup is refused: {error.message}"))
        done.seconds = round(monotonic_s() - began)
        _certify(home, done)
    return done


def _drill(
    home: Home, place: Path, name: str, scratch: Path | None, done: Drilled, progress: Progress
) -> None:
    backup = backupset.opened(place, name, wiring.trusted(home))
    done.backup, done.manifest, done.size = backup.name, backup.hash, backup.size
    done.counts["files"] = backupset.check_files(backup, progress)
    said, done.counts["objects"], done.counts["bytes"] = backupset.check_objects(backup, progress)
    done.findings += [_finding("object", one) for one in [*said, *backup.manifest["lacks"]]]
    done.findings += _live_objects(home, backup)
    _require_room(home, scratch)
    with _scratch(home, scratch) as restored:
        restoring.rebuild(backup, restored, None, progress)
        # What counts is signed by keys the live system knows, not by those a backup brings along.
        shutil.copyfile(home.public_keys, restored.public_keys)
        with wiring.cluster_of(restored).running():
            migrate(
                wiring.conninfo(restored, "cs_superuser")
            )  # a backup of an earlier release is read by this
            _check(restored, done, progress)
            _compare(home, restored, done, progress)


@contextmanager
def _scratch(home: Home, place: Path | None) -> Iterator[Home]:
    """Lend a home in scratch space; it is gone afterwards, and so is what a killed drill left there."""
    parent = place or Path(tempfile.gettempdir())
    prefix = f"coverslip-drill-{wiring.installation(home).uuid[-12:]}-"
    for left in parent.glob(f"{prefix}*"):
        with _held(left) as alone:
            if alone:
                _remove(left)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    folder.chmod(0o711)  # the database's own account passes through, and lists nothing
    with _held(folder):
        try:
            yield Home(folder / "home")
        finally:
            _remove(folder)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock; whether nobody else does. A folder of another account is never ours."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        yield False
        return
    with open(folder / "lock", "ab", opener=database.private) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _remove(folder: Path) -> None:
    restoring.empty(Home(folder / "home"))
    shutil.rmtree(folder)


def _check(restored: Home, done: Drilled, progress: Progress) -> None:
    """Check the restored database by itself: every entry, signature, and projection."""
    progress("checking every entry and signature")
    findings, counts = checking.ledger_verify(restored.root)
    # What waited for its place at that moment has none here; the comparison looks for it in the live tree.
    findings = [one for one in findings if not _waited(one)]
    done.findings += [one | {"sentence": f"restored ledger: {one['sentence']}"} for one in findings]
    done.counts |= {name: counts.get(name, 0) for name in ("entries", "sections", "signatures")}
    progress("replaying every projection")
    findings, counts = checking.ledger_replay(restored.root)
    done.findings += [
        one | {"sentence": f"restored projection: {one['sentence']}", "kept": _place(one)} for one in findings
    ]
    done.counts |= {name: counts.get(name, 0) for name in ("records", "streams")}


def _place(finding: Finding) -> str:
    """Return where a projection differs, without the values: those can be personal, and an entry stays."""
    words = (f"{name} {finding[name]}" for name in ("record", "version", "field") if finding.get(name))
    return f"restored projection: {finding['kind']}: {', '.join(words)}"


def _waited(finding: Finding) -> bool:
    return (
        finding.get("kind") == "entry" and finding.get("message") == "an entry that never came into the tree"
    )


def _compare(home: Home, restored: Home, done: Drilled, progress: Progress) -> None:
    progress("comparing with the live system")
    report = Report()
    with (
        wiring.connection(restored, "cs_verifier") as old,
        wiring.connection(home, "cs_verifier") as live,
        database.snapshot(old),
        database.snapshot(live),
    ):
        comparing.compare(old, live, report)
        for table in comparing.uncompared(old):
            report.add("projection", f"the table {table} is not compared: nobody said whose rows it has")
    done.findings += [
        {**one.value(), "sentence": f"backup and live: {one.sentence()}"} for one in report.findings
    ]
    compared = ("entries", "bodies", "projected", "changed_since", "erased_since", "roots")
    done.counts |= {f"compared_{name}": report.counts[name] for name in compared}


def _live_objects(home: Home, backup: Backup) -> list[Finding]:
    """Compare what the live vault says of each object of the backup; its bytes are fixity's to read."""
    vault, found = LocalVault(home.vault), []
    for root, sha256, size in backup.objects():
        try:
            sidecar = vault.sidecar(root)
        except CoverslipError as error:
            found.append(_finding("object", f"live vault: {error.message}"))
            continue
        if (sidecar.sha256.hex(), sidecar.size) != (sha256, size):
            found.append(
                _finding("object", f"live vault: object {root} has another sidecar than the backup's")
            )
    return found


def _require_room(home: Home, scratch: Path | None) -> None:
    with wiring.connection(home, "cs_verifier") as conn:
        needed = _ROOM * database.size(conn)
    place = scratch or Path(tempfile.gettempdir())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise EnvironmentFault(
            "ENVIRONMENT", what=f"scratch space {place}", expected=f"room for {needed >> 20} MiB",
            found=f"{free >> 20} MiB", remedy="Name a larger folder with --scratch.",
        )  # fmt: skip


def _certify(home: Home, done: Drilled) -> None:
    """Enter the certificate, and where a backup was compared the record in which people sign it off."""
    said = [plain(str(one.get("kept", one["sentence"]))) for one in done.findings[:_KEPT]]
    done.certificate = certify(home, "restore_drill", {
        "name": done.backup, "manifest": done.manifest, "size": done.size, "result": done.result,
        "counts": dict(done.counts), "found": len(done.findings), "seconds": done.seconds,
        "differences": said,
    })  # fmt: skip
    if done.certificate or done.result not in ("holds", "differs"):
        return
    with lab(home) as opened:
        fields: dict[str, Any] = {
            "title": f"Backup {done.backup} restored: {done.result}", "backup": done.backup,
            "manifest": done.manifest, "entries": done.size, "executed_at": opened.core.accounts.now(),
            "environment": f"coverslip/{__version__}, in scratch space", "seconds": done.seconds,
            "result": done.result, "compared": dict(done.counts), "found": len(done.findings),
        }  # fmt: skip
        fields |= {"differences": said} if said else {}
        made = opened.core.door.submit(Change("create", RESTORE_TEST.name, fields=fields), opened.service())
        done.record = made.entries[0].number
    settle(home)


def _finding(kind: str, sentence: str) -> Finding:
    return {"kind": kind, "sentence": sentence}
