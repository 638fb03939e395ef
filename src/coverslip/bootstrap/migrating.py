"""Migrating: bring an installation to this release, and refuse to run one that is not there.

Rules kept here:

* Nothing else runs meanwhile; a server that runs is asked to be stopped, never stopped.
* Everything that can be refused is refused before anything is changed.
* What was changed is on the log: an entry naming every migration with its hash, the releases before and
  after, and every new or changed type with its whole definition. What an interruption left out of the log
  is entered by the next attempt.
* The entries of before are read, never written.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from coverslip.bootstrap import wiring
from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.signing import open_signer
from coverslip.errors import EnvironmentFault
from coverslip.kernel.change import Context
from coverslip.kernel.entries import SOFTWARE
from coverslip.kernel.identity import context_of
from coverslip.kernel.rows import NIL
from coverslip.kernel.upgrade import Changed, Upgrade, changed, require_states
from coverslip.records.founding import SCHEDULER
from coverslip.settings import Home
from coverslip.store import startup
from coverslip.store.definitions import Told, states_in_use, told, unnamed
from coverslip.store.migrate import migrate as apply_migrations, pending
from coverslip.store.server import files
from coverslip.store.server.process import HomeLock
from coverslip.store.signer import read_journal

CLIENT = "coverslip migrate"


@dataclass(frozen=True, slots=True)
class Migrated:
    """What one run did: names of migrations applied, of types defined anew, and how many entries."""

    applied: tuple[str, ...] = ()
    defined: tuple[str, ...] = ()
    entries: int = 0
    moved: dict[str, Any] = field(default_factory=dict)


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Be the only one who serves or changes this installation. Raises ENVIRONMENT when another does."""
    lock = HomeLock(home.run / "serve.lock")
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def require_current(home: Home) -> None:
    """Refuse to serve an installation this release does not fit; its database runs.

    Raises ENVIRONMENT naming the command to run, or that the installation is newer; EVIDENCE when a
    migration was changed after it was applied.
    """
    with wiring.connection(home, "cs_verifier") as conn:
        require_schema(home, conn)
        changes = _changes(home, conn, told(conn))
        _require_none(home, [f"definition of {one.definition.name}" for one in changes])


def require_schema(home: Home, conn: psycopg.Connection[Any]) -> None:
    """Refuse a database whose migrations are not those of this release; raises as ``require_current``."""
    _require_none(home, [f"migration {one.number}" for one in pending(conn)])


def _require_none(home: Home, waiting: list[str]) -> None:
    if waiting:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=f"the installation in {home.root}",
            expected="everything this release brings",
            found=f"not yet there: {', '.join(waiting[:5])}" + (" …" if len(waiting) > 5 else ""),
            remedy=f"Back it up, then run 'coverslip migrate --home {home.root}'.",
        )


def migrate(root: Path, database_url: str = "") -> Migrated:
    """Bring an installation to this release and enter what was done; may be repeated.

    ``database_url`` names a superuser of the site's own server, where the installation uses one.

    Raises:
        EnvironmentFault: a server runs, the installation is newer, a record is in a state that is no
            more, or something cannot be reached. Nothing was changed, or the next run carries on.
        EvidenceBroken: an applied migration was changed, or the log is not what was signed.
    """
    home = Home(root.resolve())
    wiring.installation(home)
    with alone(home), wiring.database(home):
        return bring_up(home, database_url)


def bring_up(home: Home, database_url: str = "", moved: dict[str, Any] | None = None) -> Migrated:
    """Migrate an installation whose database runs and which nobody else uses.

    ``moved`` tells of a move to another PostgreSQL that goes on the log with it.
    """
    journal = read_journal(home.signer / "journal")
    with wiring.connection(home, "cs_verifier") as conn:
        startup.compare(conn, journal[-1] if journal else None)
        waiting = pending(conn)
        require_states(_changes(home, conn, told(conn)), states_in_use(conn))
        before = startup.newest_software(conn)
    if waiting:
        with wiring.migrators(home, database_url) as (superuser, migrator):
            apply_migrations(superuser, migrator=migrator)
    with wiring.connection(home, "cs_verifier") as conn:
        on_log = told(conn)
        missing = unnamed(conn, on_log)
        changes = _changes(home, conn, on_log)
    _pin(home)
    count = 0
    if missing or changes or moved:
        detail: dict[str, Any] = {
            "from": before,
            "to": SOFTWARE,
            "os_user": _os_user(),
            "migrations": missing,
        }
        detail |= {"database": moved} if moved else {}
        count = _enter(home, detail, changes)
    names = tuple(f"{m.number:04d} {m.name}" for m in waiting)
    return Migrated(names, tuple(c.definition.name for c in changes), count, moved or {})


def _changes(home: Home, conn: psycopg.Connection[Any], on_log: Told) -> list[Changed]:
    """Return what is to be defined anew: the types of this release with the site's refinements.

    Raises ENVIRONMENT naming every refinement that a type of this release no longer fits.
    """
    listed = on_log.definitions
    return changed(
        wiring.catalogue_in_force(home, conn),
        [(one.type, one.hash) for one in listed],
        [(one.type, one.shipped) for one in listed],
    )


def _enter(home: Home, detail: dict[str, Any], changes: list[Changed]) -> int:
    """Write the entries in the name of the installation's own account, and have them signed."""
    with wiring.core(home, size=2) as core:
        found = core.accounts.person_by_username(SCHEDULER)
        context = Context(NIL, NIL, "none", client=CLIENT)
        if found is not None:
            context = context_of(core.identity.service_session(found[0], SCHEDULER, CLIENT).session)
        count = Upgrade(core.store, core.clock.state).write(detail, changes, context)
    signer = open_signer(home)
    try:
        sequencer = sequencer_of(home, signer)
        while sequencer.step().integrated:
            pass
        sequencer.close()
    finally:
        signer.close()
    return count


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an id without a name
        return str(os.getuid())


def _pin(home: Home) -> None:
    """Write the major version of PostgreSQL into a manifest that does not have it yet."""
    value = json.loads(home.manifest.read_text("utf-8"))
    if "postgres_major" not in value:
        write_manifest(home, value | {"postgres_major": wiring.cluster_of(home).major()})


def write_manifest(home: Home, value: dict[str, Any]) -> None:
    """Replace ``coverslip.json`` atomically, keeping owner and mode."""
    found = home.manifest.stat()
    text = json.dumps(value, indent=2) + "\n"
    files.write_private(home.manifest, text, found.st_uid, found.st_gid, found.st_mode & 0o777)
