"""Restoring: an installation made again from a backup, into an empty folder only.

Rules kept here:

* Nothing is used before it was checked: the manifest's signature by keys obtained elsewhere, then every file,
  then every object. A backup of which one byte differs is refused, and the byte's file is named.
* What was restored is then checked as evidence: ledger, signatures, projections, objects.
* A restored signer must not sign a second history. It is reminded of everything that is known to have been
  signed later, from anchors and from a journal that survived; a database that is behind that is read-only
  until two people sign a recovery, and what is missing is named.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from coverslip.bootstrap import anchors as anchoring, backupset, checking, wiring
from coverslip.bootstrap.backupset import Backup, Progress
from coverslip.bootstrap.certifying import certify, settle, unwritable
from coverslip.bootstrap.kept import claims, insist_there
from coverslip.bootstrap.migrating import bring_up, write_manifest
from coverslip.client.errors import misuse
from coverslip.errors import CoverslipError, EnvironmentFault, EvidenceBroken
from coverslip.ledger import note
from coverslip.ledger.failure import LedgerError
from coverslip.settings import Home
from coverslip.store import backup as database, migrate
from coverslip.store.anchors import read_file_anchor
from coverslip.store.notes import NoteKey, NoteVerifier, read_seed
from coverslip.store.server import Cluster
from coverslip.store.signer import Signed, current, lost, read_journal, verify_note
from coverslip.vault.local import LocalVault

Finding = dict[str, Any]
NOTHING_NAMED = (
    "NOT KNOWN what was signed after this backup: neither --anchors nor --journal was named. If anything was,"
    " a second history begins here"
)


@dataclass
class Restored:
    """What was restored. ``recovery`` says why two people must sign before anything is written, else empty.

    ``lost`` tells what is known to have been there and is not in the backup; ``migrated`` what this release
    added to a backup of an earlier one.
    """

    backup: str
    manifest: str
    size: int
    root: str
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    recovery: str = ""
    lost: list[str] = field(default_factory=list)
    entered: bool = False
    migrated: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What could not be known about what was signed after the backup."""


def restore(
    source: Path,
    keys: Path,
    root: Path,
    *,
    name: str = "",
    anchors: Path | None = None,
    journal: Path | None = None,
    public_keys: Path | None = None,
    progress: Progress = lambda _: None,
) -> Restored:
    """Restore a backup (the newest where ``name`` is empty) into the empty folder ``root``.

    ``anchors``: checkpoints that were kept elsewhere; ``journal``: the lost home's own signer journal, if it
    survived; ``public_keys``: a ``keys.txt`` that was handed over, which the keys must then fit.

    Raises:
        MisuseError: what is named is not there, or holds no checkpoint of this log.
        EnvironmentFault: the folder is not empty, keys are not there, a checkpoint of this log cannot be
            checked with the keys known, or something cannot be done.
        EvidenceBroken: the backup is not what was signed; nothing is left in ``root``.
    """
    insist_there("--from", source / backupset.SET, "in a folder of backups", folder=False)
    insist_there("--public-keys", public_keys, "a file of keys", folder=False)
    insist_there("--anchors", anchors)
    insist_there("--journal", journal, "a signer's journal", folder=False)
    home = Home(root.resolve())
    if home.root.exists() and any(home.root.iterdir()):
        raise _fault(
            str(home.root), "an empty folder", "files", "Name another folder; nothing is ever restored over."
        )
    backup, place = _opened(source.absolute(), keys.absolute(), name, public_keys)
    _insist_notes(anchors, journal, str(backup.manifest["origin"]))
    backupset.check_files(backup, progress)
    said, _, _ = backupset.check_objects(backup, progress)
    if said:
        raise EvidenceBroken(
            "EVIDENCE",
            what=f"backup {backup.name}",
            expected="every object it names",
            found="; ".join(said[:5]),
        )
    try:
        return _restore(backup, place, home, anchors, journal, progress)
    except BaseException:  # a home is restored whole or not at all, an interrupt included; raised again
        empty(home)
        raise


def _restore(
    backup: Backup, place: Path, home: Home, anchors: Path | None, journal: Path | None, progress: Progress
) -> Restored:
    rebuild(backup, home, place, progress)
    _objects(backup, home, progress)
    done = Restored(backup.name, backup.hash, backup.size, str(backup.manifest["tree"]["root"]))
    done.findings = [{"kind": "lacking", "sentence": one} for one in backup.manifest["lacks"]]
    cluster = wiring.cluster_of(home)
    with cluster.running():
        progress("checking what was restored")
        asked, silent = anchoring.witnessed(home)
        done.notes = [f"WITNESS SILENT {one}; what it saw after the backup is not known" for one in silent]
        if anchors is None and journal is None:
            done.notes.append(NOTHING_NAMED)
        done.lost = remind(home, anchors, journal, asked)
        done.recovery = unwritable(home)
        if not done.recovery:
            settle(home)  # what waited for its place when the backup was made
            done.migrated = list(bring_up(home).applied)
        else:
            migrate.migrate(wiring.conninfo(home, "cs_superuser"))  # to be looked at; entered by 'migrate'
        # The last question asks for anchors as well; without any, those of the home stand in.
        for findings, counts in (
            checking.ledger_verify(home.root, anchors), checking.ledger_replay(home.root),
            checking.vault_check(home.root),
        ):  # fmt: skip
            done.findings += findings
            done.counts |= counts
        if done.recovery:
            done.findings = [one for one in done.findings if not _expected(one, done.size)]
        else:
            said = {
                "name": backup.name, "manifest": backup.hash, "size": backup.size, "root": done.root,
                "found": len(done.findings),
            }  # fmt: skip
            done.entered = not certify(home, "restored", said)
    return done


def _expected(finding: Finding, size: int) -> bool:
    """Whether a finding only says again that the ledger ends before what was signed."""
    return finding.get("kind") in ("journal", "anchor") and "cut off:" in str(finding["message"]) and (
        finding.get("index") == size
    )  # fmt: skip


def _opened(source: Path, keys: Path, name: str, public_keys: Path | None) -> tuple[Backup, Path]:
    """Open the backup by the export key among the keys given; return it and the folder of its keys."""
    sets = backupset.keyset(keys)
    if not sets:
        raise _fault(
            str(keys), "keys that 'coverslip backup --keys-to' kept", "none",
            "Name their folder. Without keys a backup can be read with 'restore --drill', not continued.",
        )  # fmt: skip
    failures: list[CoverslipError] = []
    for folder in sets:
        try:
            verifiers = _verifiers(source, folder, public_keys)
            backup = backupset.opened(source, name, verifiers)
        except EvidenceBroken as error:
            failures.append(error)
            continue
        return backup, backupset.opened_keys(keys, str(backup.manifest["keys"]))
    raise failures[0]


def _verifiers(source: Path, folder: Path, public_keys: Path | None) -> list[note.Verifier]:
    said = json.loads((source / backupset.SET).read_text("utf-8"))
    key = NoteKey(f"{said['origin']}/export", read_seed(folder / "export" / "export.key")).verifier_key
    if public_keys is not None and key.format() not in public_keys.read_text("utf-8").split():
        raise _fault(
            str(folder), f"the export key named in {public_keys}", "another",
            "Find out whose keys these are before anything is restored.",
        )  # fmt: skip
    return [NoteVerifier(key)]


# --- rebuilding ---------------------------------------------------------------------------------------


def rebuild(backup: Backup, home: Home, keys: Path | None, progress: Progress) -> None:
    """Make home and database from a backup whose files were checked; the server is left stopped.

    ``keys`` None: a home to look at, which cannot sign, serve or let anybody in.
    """
    manifest = backup.manifest
    level = _level(manifest["migrations"])
    home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (
        home.secrets,
        home.run,
        home.logs,
        home.export_key.parent,
        home.signer,
        home.anchors.parent,
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _files(backup.folder / "home", home.root, skip="journal")
    _copy(backup.folder / "home" / "journal", home.signer / "journal")
    if keys is not None:
        _files(keys, home.root, skip=backupset.KEYS)
    cluster = Cluster(home.root, str(manifest["use"]))
    progress("making the database")
    cluster.create()
    value = json.loads(home.manifest.read_text("utf-8"))
    value.pop("database", None)  # what is restored has a database of its own, never that of the site
    write_manifest(home, value | {"postgres_major": cluster.major()})
    with cluster.running():
        cluster.create_roles()
        dsn = wiring.conninfo(home, "cs_superuser")
        migrate.migrate(dsn, level=level)
        with psycopg.connect(dsn, autocommit=True) as conn:
            tables = {str(one["name"]): tuple(one["columns"]) for one in manifest["tables"]}
            numbers = {str(one["name"]): int(one["last"]) for one in manifest["sequences"]}
            database.load(conn, backup.folder / "database", tables, numbers, progress)


def _level(wanted: Sequence[dict[str, Any]]) -> int:
    """Return the number of the last migration; refuse a backup whose schema this release does not know."""
    known = {one.number: one for one in migrate.published()}
    for one in wanted:
        found = known.get(int(one["number"]))
        if found is None or found.sha256 != one["sha256"]:
            raise _fault(
                f"migration {one['number']} {one['name']} of the backup", "one of this release", "another",
                "Restore with the release that made the backup, or a later one.",
            )  # fmt: skip
    return max(int(one["number"]) for one in wanted)


def _files(source: Path, target: Path, skip: str) -> None:
    for path in sorted(one for one in source.rglob("*") if one.is_file()):
        inside = path.relative_to(source)
        if str(inside) != skip:
            _copy(path, target / inside)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)
    database.durable(target)


def _objects(backup: Backup, home: Home, progress: Progress) -> None:
    vault, kept = LocalVault(home.vault), backup.vault
    total = backup.manifest["objects"]["count"]
    for number, (root, _, _) in enumerate(backup.objects(), 1):
        progress(f"object {number} of {total}")
        vault.take_from(kept, root)
    listed = (backup.folder / backupset.QUARANTINED).read_text("utf-8").splitlines()
    for path, expected in (line.rsplit(" ", 1) for line in listed):
        source = backup.target / "vault" / "quarantine" / path
        if database.hash_of(source) != expected:
            raise EvidenceBroken(
                "EVIDENCE", what=f"quarantined file {path}", expected=f"SHA-256 {expected}", found="another"
            )
        _copy(source, home.vault / "quarantine" / path)


def empty(home: Home) -> None:
    """Stop a home's database and remove everything in its folder; only for what was begun here."""
    if home.root.exists():
        if home.manifest.exists():
            wiring.cluster_of(home).stop("immediate")
        for child in home.root.iterdir():
            shutil.rmtree(child, ignore_errors=True) if child.is_dir() else child.unlink(missing_ok=True)


# --- what the signer must remember --------------------------------------------------------------------


def remind(home: Home, anchors: Path | None, journal: Path | None, asked: Sequence[bytes] = ()) -> list[str]:
    """Let the signer's journal remember what is known to have been signed; return what is lost, in words.

    ``asked``: what witnesses answered. Raises EVIDENCE when two notes, or a note and the journal, contradict
    each other; ENVIRONMENT for a checkpoint of this log that no key known here signed.
    """
    path = home.signer / "journal"
    known = read_journal(path)
    verifiers, origin = wiring.trusted(home), wiring.installation(home).origin
    found = {one.size: one for one in current(known)}
    gone = lost(known) | (lost(read_journal(journal)) if journal is not None else set())
    for data in [*_notes(anchors, journal), *asked]:
        try:
            checkpoint = verify_note(data, verifiers)
        except LedgerError as error:
            if not claims(data, origin):
                continue
            raise _fault(
                f"a checkpoint of {origin} kept elsewhere", "one signed by a key the backup knows",
                str(error), "Find out who signed it: with a newer key of this log, take a newer backup; with"
                " a foreign one, keep it as evidence and restore without it. Nothing was signed.",
            ) from error  # fmt: skip
        # What two people declared lost is known to be so: it must not come back as something signed.
        if checkpoint.origin != origin or (checkpoint.size, checkpoint.root) in gone:
            continue
        earlier = found.setdefault(checkpoint.size, Signed(checkpoint.size, checkpoint.root, data))
        if earlier.root != checkpoint.root:
            raise EvidenceBroken(
                "EVIDENCE", what=f"checkpoints of size {checkpoint.size}", expected="one history",
                found="two roots, both signed",
            )  # fmt: skip
    last = known[-1].size if known else 0
    later = [one for size, one in sorted(found.items()) if size > last]
    with open(path, "ab") as file:
        for one in later:
            line = {"size": one.size, "root": one.root.hex(), "note": one.note.decode()}
            file.write(json.dumps(line).encode() + b"\n")
    database.durable(path)
    size = _tree_size(home)
    newest = later[-1].size if later else last
    if newest <= size:
        return []
    return [
        f"{newest - size} entries, index {size} to {newest - 1}, were signed after this backup and are lost"
    ]


def _insist_notes(anchors: Path | None, journal: Path | None, origin: str) -> None:
    """Return if each place named holds a checkpoint of this log. Raises ``MisuseError`` if not."""
    for option, place, notes in (
        ("--anchors", anchors, _notes(anchors, None)), ("--journal", journal, _notes(None, journal)),
    ):  # fmt: skip
        if place is not None and not any(claims(data, origin) for data in notes):
            raise misuse(option, f"checkpoints of {origin}", f"none in {place}", "Nothing was restored.")


def _notes(anchors: Path | None, journal: Path | None) -> list[bytes]:
    places = [] if anchors is None else sorted(anchors.iterdir()) if anchors.is_dir() else [anchors]
    notes = [data for one in places if one.is_file() for data in read_file_anchor(one)]
    return notes + ([one.note for one in read_journal(journal)] if journal is not None else [])


def _tree_size(home: Home) -> int:
    with wiring.connection(home, "cs_verifier") as conn:
        found = database.tree(conn)
    return found[0] if found else 0


def _fault(what: str, expected: str, found: str, remedy: str) -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found, remedy=remedy)
