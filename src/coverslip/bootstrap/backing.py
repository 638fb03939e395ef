"""Backing up: one moment of an installation, put where it survives the loss of the home.

Rules kept here:

* The order is the proof: the database's snapshot first, then at once the signer's journal, then everything
  else. Objects are kept before a record names them and never change, so that copying them after the snapshot
  finds every object it names. The journal is never older than a checkpoint in the snapshot, and where it is
  ahead of the snapshot another snapshot is taken: a restored home then starts, and what was signed later is
  told by anchors or by the journal that survived, never by nothing.
* A backup is complete or has no manifest; one that is complete is never touched again.
* Keys go to another place or nowhere: whoever finds a backup can read it and forge nothing with it.
* A damaged object is not copied. A good copy of an earlier backup stands for it; where there is none, the
  backup is made all the same and says what it lacks.
* What was done is an entry of the ledger, if the ledger may be written at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from coverslip import __version__
from coverslip.bootstrap import backupset, wiring
from coverslip.bootstrap.backupset import Progress
from coverslip.bootstrap.certifying import certify, plain
from coverslip.bootstrap.packing import keep_keys, listed, plain_files, write
from coverslip.bootstrap.places import read_places
from coverslip.bootstrap.tending import named_objects
from coverslip.client.errors import misuse
from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.kernel.clock import monotonic_s, utc_now
from coverslip.ledger import canonical, note
from coverslip.settings import Home
from coverslip.store import backup as database
from coverslip.store.pool import Pool
from coverslip.store.reading import PostgresReading
from coverslip.vault.local import LocalVault

_SNAPSHOTS: Final = 20


@dataclass
class Made:
    """What a backup holds. ``lacks`` says in sentences what it could not keep; empty: it is whole."""

    name: str
    manifest: str
    size: int
    root: str
    objects: int = 0
    bytes: int = 0
    new_objects: int = 0
    keys: str = ""
    seconds: int = 0
    entered: bool = False
    lacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def backup(
    root: Path,
    to: Path | None = None,
    keys_to: Path | None = None,
    progress: Progress = lambda _: None,
    database_url: str = "",
) -> Made:
    """Back an installation up into a folder, whether it serves or not.

    ``to`` and ``keys_to`` left out are those named before. ``database_url``: a superuser of the site's own
    server, where there is one.

    Raises:
        EnvironmentFault: no target is named, a place is not fit, there is no room, or a disk refuses. No
            complete backup is left behind, and earlier ones are as they were.
    """
    home = Home(root.resolve())
    facts = wiring.installation(home)
    places = read_places(home)
    target = _absolute(to, places.target)
    keys = _absolute(keys_to, places.keys)
    if target is None:
        raise _fault(
            "the target of the backup", "a folder in --to", "none",
            "Name it, best on another machine's disk, or keep one with --set-target.",
        )  # fmt: skip
    check_places(home, target, keys)
    if to is None and not (target / backupset.SET).is_file():
        raise _fault(
            str(target), f"the folder of backups that was named, with its {backupset.SET}", "none",
            "Mount it. What lies at this path now is another disk, and a backup there would help nobody.",
        )  # fmt: skip
    began = monotonic_s()
    with _prepared(target, facts) as draft, wiring.database(home):
        made = _take(home, target, keys, draft, progress, database_url)
        made.seconds = round(monotonic_s() - began)
        _finish(target, draft, made)
        _certify(home, target, made)
    return made


def check_places(home: Home, target: Path, keys: Path | None) -> None:
    """Refuse a target inside the home or around it, and keys inside the target or the home."""
    for path in (target, keys):
        if path is not None and _inside(path, home.root, either=True):
            raise _fault(
                str(path), "a folder outside the installation", f"one in or around {home.root}",
                "Choose a folder on another disk, best on another machine.",
            )  # fmt: skip
    if keys is not None and _inside(keys, target, either=True):
        raise _fault(
            str(keys), "keys apart from the backup", f"a folder in or around {target}",
            "Choose another place for keys: whoever has both can sign as this installation.",
        )  # fmt: skip


# --- taking -----------------------------------------------------------------------------------------


def claim(target: Path, facts: wiring.Facts) -> None:
    """Mark a folder as that of this installation's backups. Raises ENVIRONMENT when it is another's."""
    said = {"v": 1, "origin": facts.origin, "installation": facts.uuid}
    known = target / backupset.SET
    if not known.exists():
        half = target / f"{backupset.PARTIAL}set"
        half.unlink(missing_ok=True)
        write(half, canonical.encode(said))
        half.rename(known)
    elif json.loads(known.read_text("utf-8")) != said:
        raise _fault(
            str(target), "backups of this installation", "those of another",
            "Choose a folder of its own for each installation.",
        )  # fmt: skip


def require_free(target: Path) -> None:
    """Refuse a folder that holds the backups of an installation there is (``ENVIRONMENT``)."""
    if (target / backupset.SET).exists():
        raise _fault(
            str(target), "a folder for the backups of a new installation", "those of another",
            "Choose a folder of its own for each installation.",
        )  # fmt: skip


@contextmanager
def _prepared(target: Path, facts: wiring.Facts) -> Iterator[Path]:
    """Lend a draft folder in the target, alone; it is gone afterwards unless it was renamed."""
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise misuse(
            "--to",
            "a folder, or a place where one can be made",
            f"{target}: {error.strerror or error}",
            "Look at the path; nothing was backed up.",
        ) from error
    with open(target / "lock", "ab", opener=database.private) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _fault(str(target), "no other backup under way", "one", "Wait for it to end.") from error
        claim(target, facts)
        for left in target.glob(f"{backupset.PARTIAL}*"):  # of a backup that was interrupted
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        draft = target / f"{backupset.PARTIAL}{os.getpid()}"
        draft.mkdir(mode=0o700)
        try:
            yield draft
        finally:
            if draft.exists():
                shutil.rmtree(draft)


def _take(
    home: Home, target: Path, keys: Path | None, draft: Path, progress: Progress, database_url: str
) -> Made:
    manifest: dict[str, Any] = _facts(home)
    (draft / "database").mkdir(mode=0o700)
    (draft / "home").mkdir(mode=0o700)
    manifest["keys"] = keep_keys(home, keys) if keys is not None else ""
    live = LocalVault(home.vault)
    kept = LocalVault(target / "vault")
    _require_room(home, target, live, kept)
    # Anchors first: one that is newer than the journal beside it would say that the journal lost its end.
    plain_files(home, draft)
    ahead = _snapshot(admin(home, database_url), home, draft, manifest, progress)
    made = Made("", "", manifest["tree"]["size"], manifest["tree"]["root"])
    if ahead:
        made.notes.append(
            "the signer has signed more than the database holds: a home restored from this backup asks two"
            " people for a recovery"
        )
    made.keys = manifest["keys"]
    if keys is None:
        made.notes.append("no keys were kept: from this backup records can be read, not continued")
    elif _device(keys) == _device(target):
        made.notes.append("keys and backup are on one disk: take one of them elsewhere")
    if _device(target) == _device(home.root):
        made.notes.append("backup and installation are on one disk: it survives a mistake, not the disk")
    with Pool(admin(home, database_url), name="backup", size=1) as pool:
        named = named_objects(PostgresReading(pool))
    _objects(named, live, kept, draft, manifest, made, progress)
    _quarantined(home, target, draft, manifest)
    manifest["files"] = listed(draft)
    write(draft / backupset.MANIFEST, canonical.encode(manifest))
    made.manifest = database.hash_of(draft / backupset.MANIFEST)
    text = backupset.signed_text(manifest["origin"], made.manifest)
    write(draft / backupset.SIGNATURE, note.sign(text, [wiring.export_key(home)]).to_bytes())
    made.name = f"{manifest['created_at'][:23].replace(':', '')}Z-{made.size}"
    return made


def _facts(home: Home) -> dict[str, Any]:
    facts = wiring.installation(home)
    return {
        "v": 1, "format": backupset.FORMAT, "origin": facts.origin, "installation": facts.uuid,
        "use": facts.use, "created_at": utc_now(), "software": f"coverslip/{__version__}",
    }  # fmt: skip


def _snapshot(superuser: str, home: Home, draft: Path, manifest: dict[str, Any], progress: Progress) -> bool:
    """Write the database as of one moment and the journal of that moment; return whether it is ahead."""
    for attempt in range(1, _SNAPSHOTS + 1):
        with psycopg.connect(superuser, autocommit=True) as conn, database.snapshot(conn):
            row = database.tree(conn)
            if row is None:
                raise _fault(f"ledger of {home.root}", "an open log", "none", "Found it first.")
            data = _whole_lines(home.signer / "journal")
            signed = json.loads(data.splitlines()[-1])["size"] if data else 0
            ahead = int(signed) > row[0]
            if ahead and attempt < _SNAPSHOTS:
                continue  # entries were integrated and signed between the two: take a newer moment
            manifest["tree"] = {"size": row[0], "root": row[1]}
            manifest["journal"] = int(signed)
            manifest["migrations"] = database.migrations(conn)
            manifest["postgres"] = conn.info.server_version
            progress("writing the database")
            written = database.dump(conn, draft / "database", progress)
            manifest["tables"] = [{"name": name, **one.value()} for name, one in written.items()]
            numbers = database.sequences(conn)
            manifest["sequences"] = [{"name": name, "last": last} for name, last in numbers.items()]
            write(draft / "home" / "journal", data)
            return ahead
    raise AssertionError("the last attempt takes what it finds")


def _whole_lines(path: Path) -> bytes:
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1]  # a torn last line was never answered


def _objects(
    named: Mapping[str, list[str]], live: LocalVault, kept: LocalVault, draft: Path,
    manifest: dict[str, Any], made: Made, progress: Progress,
) -> None:  # fmt: skip
    """Copy objects the target lacks, each believed by hash; list all of this backup."""
    stored = {one for _, one, _ in live.objects()}
    wanted = sorted(stored | {one for one in named if len(one) == 64})
    with open(draft / backupset.OBJECTS, "x", encoding="ascii", opener=database.private) as lines:
        for number, one in enumerate(wanted, 1):
            progress(f"object {number} of {len(wanted)}")
            try:
                if not kept.has(one):
                    kept.take_from(live, one)
                    made.new_objects += 1
                sidecar = kept.sidecar(one)
            except EnvironmentFault:
                raise  # a full or broken disk ends the backup; it is not the object's fault
            except CoverslipError as error:
                holders = ", ".join(dict.fromkeys(named.get(one, []))) or "no record"
                made.lacks.append(f"object {one} of {holders}: {error.message}")
                continue
            made.objects, made.bytes = made.objects + 1, made.bytes + sidecar.size
            lines.write(f"{one} {sidecar.sha256.hex()} {sidecar.size}\n")
    manifest["objects"] = {"count": made.objects, "bytes": made.bytes}
    manifest["lacks"] = [plain(one, 2000) for one in made.lacks]


def _quarantined(home: Home, target: Path, draft: Path, manifest: dict[str, Any]) -> None:
    """Copy what lies in quarantine, each folder once."""
    place, count = target / "vault" / "quarantine", 0
    with open(draft / backupset.QUARANTINED, "x", encoding="utf-8", opener=database.private) as lines:
        for folder in sorted((home.vault / "quarantine").iterdir()):
            if not (folder / "content").exists():
                continue
            if not (place / folder.name).exists():
                half = target / f"{backupset.PARTIAL}{folder.name}"
                shutil.copytree(folder, half)
                half.rename(place / folder.name)
            for file in sorted((place / folder.name).iterdir()):
                lines.write(f"{folder.name}/{file.name} {database.hash_of(file)}\n")
            count += 1
    manifest["quarantined"] = count


def _finish(target: Path, draft: Path, made: Made) -> None:
    """Give the backup its name: from this moment on it exists."""
    for folder in [one for one in draft.rglob("*") if one.is_dir()] + [draft]:
        database.durable(folder)
    draft.rename(target / made.name)
    database.durable(target)


def _certify(home: Home, target: Path, made: Made) -> None:
    """Enter the backup on the ledger, unless the ledger may not be written now."""
    detail: dict[str, Any] = {
        "name": made.name, "manifest": made.manifest, "size": made.size, "root": made.root,
        "target": plain(str(target)), "objects": made.objects, "bytes": made.bytes,
        "new_objects": made.new_objects, "keys": "apart" if made.keys else "none", "seconds": made.seconds,
        "lacks": [plain(one, 300) for one in made.lacks[:50]], "lacking": len(made.lacks),
    }  # fmt: skip
    refused = certify(home, "backup_made", detail)
    if refused:
        made.notes.append(f"the backup is not on the ledger: {refused}")
    made.entered = not refused


# --- helpers ----------------------------------------------------------------------------------------


def _require_room(home: Home, target: Path, live: LocalVault, kept: LocalVault) -> None:
    with wiring.connection(home, "cs_verifier") as conn:
        needed = database.size(conn)
    needed += sum(size for _, one, size in live.objects() if not kept.has(one))
    free = shutil.disk_usage(target).free
    if free < needed:
        raise _fault(
            str(target), f"room for {needed >> 20} MiB", f"{free >> 20} MiB", "Free space or name another."
        )


def admin(home: Home, database_url: str = "") -> str:
    """Return the login that may read every table: the home's own superuser, or the one named."""
    return database_url or wiring.conninfo(home, "cs_superuser")


def _inside(path: Path, other: Path, *, either: bool) -> bool:
    one, two = path.resolve(), other.resolve()
    return one.is_relative_to(two) or (either and two.is_relative_to(one))


def _device(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return path.stat().st_dev


def _absolute(given: Path | None, kept: str) -> Path | None:
    chosen = given or (Path(kept) if kept else None)
    return chosen.expanduser().absolute() if chosen else None


def _fault(what: str, expected: str, found: str, remedy: str) -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found, remedy=remedy)
