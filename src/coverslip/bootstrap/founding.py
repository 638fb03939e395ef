"""Founding an installation: a home, a database, keys, and genesis.

Rules kept here: a home is founded once and whole, or not at all; of two who begin at the same moment one
founds and the other is told, and touches nothing; every secret is made here and lies in files of mode 0600;
founders' own secrets are used once and kept nowhere.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from coverslip.bootstrap import readiness, wiring
from coverslip.errors import EnvironmentFault, Refused
from coverslip.kernel.change import Context
from coverslip.kernel.clock import ClockState, utc_now, wall_s
from coverslip.kernel.genesis import Founder, Genesis
from coverslip.kernel.rows import NIL
from coverslip.records.founding import charter
from coverslip.settings import Home
from coverslip.store.anchors import FileAnchor
from coverslip.store.migrate import migrate, open_installation
from coverslip.store.notes import create_seed
from coverslip.store.sequencer import Sequencer
from coverslip.store.server import Cluster, site
from coverslip.store.signer import Signer
from coverslip.timekeeping.measuring import measure
from coverslip.timekeeping.sources import parse_all, read_sources, write_sources

Progress = Callable[[str], None]
CLAIM = "being-founded"
"""File that stands in a folder while an installation is founded in it."""


@dataclass(frozen=True)
class Founding:
    """Answers an installation is founded with. ``use`` is fixed for ever.

    ``database_url`` names a superuser and an empty database of the site's own PostgreSQL; it is used once.
    """

    origin: str
    use: str
    site: Mapping[str, Any]
    founders: tuple[Mapping[str, Any], ...]
    zone: str = "UTC"
    time_sources: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    database_url: str = field(default="", repr=False)
    backup_to: str = ""
    keys_to: str = ""
    anchors: tuple[Mapping[str, Any], ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    """By user name, the document by which a founder's identity was verified."""


def init(
    root: Path,
    founding: Founding,
    passwords: Mapping[str, str],
    progress: Progress = lambda _: None,
    prepared: Callable[[Path], None] = lambda _: None,
) -> int:
    """Found an installation in an empty folder; return the number of genesis entries.

    ``prepared`` is called with the home once its database runs and before anything is entered. Raises
    ``ENVIRONMENT`` when the folder is taken, ``NOT_READY`` with everything that is missing. A failure
    removes what was begun, and only that.
    """
    home = Home(root.resolve())
    if home.root.exists() and any(home.root.iterdir()):
        raise _taken(home.root)
    founders = tuple(
        Founder(
            str(f["username"]),
            str(f["name"]),
            str(f["email"]),
            tuple(f["roles"]),
            passwords[str(f["username"])],
            founding.documents.get(str(f["username"]), ""),
        )
        for f in founding.founders
    )
    sources = parse_all(founding.time_sources)
    kept = (founding.backup_to, founding.keys_to, founding.anchors)
    readiness.require(home, founding.use, founding.database_url, *kept)
    claim = _claimed(home.root)
    try:
        if sources:
            write_sources(home.clock, sources)
        count = _found(home, founding, founders, progress, prepared)
        readiness.claim(home, founding.backup_to)
    except BaseException:  # a home is founded whole or not at all, an interrupt included; raised again
        for child in home.root.iterdir():
            shutil.rmtree(child, ignore_errors=True) if child.is_dir() else child.unlink(missing_ok=True)
        raise
    claim.unlink()
    return count


def _claimed(root: Path) -> Path:
    """Claim an empty folder for one founding; return the file that says so. Raises ``ENVIRONMENT``."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    claim = root / CLAIM
    try:
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise _taken(root, "another founding under way, or one that was cut off") from error
    if any(child != claim for child in root.iterdir()):
        claim.unlink()
        raise _taken(root)
    return claim


def _taken(root: Path, found: str = "files") -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT",
        what=str(root),
        expected="an empty folder",
        found=found,
        remedy="Name another folder; an installation is founded once.",
    )


def _found(
    home: Home,
    founding: Founding,
    founders: tuple[Founder, ...],
    progress: Progress,
    prepared: Callable[[Path], None],
) -> int:
    uuid = uuid4()
    _folders(home)
    _write_facts(home, founding, str(uuid))
    readiness.keep(home, founding.backup_to, founding.keys_to, founding.anchors)
    progress("making the database")
    with _database(home, founding, progress) as admin:
        migrate(admin)
        open_installation(
            admin,
            origin=founding.origin,
            use=founding.use,
            uuid=uuid,
            created_at=dt.datetime.fromisoformat(utc_now()),
        )
        progress("making keys")
        signer = _keys(home, founding.origin)
        prepared(home.root)
        progress("writing genesis")
        with wiring.core(home, size=2) as core:
            context = Context(NIL, NIL, "password", "genesis", "local", "coverslip init", founding.zone)
            genesis = Genesis(core.catalogue, core.store, core.accounts)
            clock = _clock(core, founding)
            count = genesis.run(founders, charter(founders, founding.site), context, clock.value())
        progress("signing the first checkpoint")
        _integrate(home, signer)
        signer.close()
    return count


@contextmanager
def _database(home: Home, founding: Founding, progress: Progress) -> Iterator[str]:
    """Make the database with its roles; lend the superuser's connection string while it runs."""
    if founding.database_url:
        with _site_database(home, founding.database_url, progress):
            yield founding.database_url
        return
    cluster = Cluster(home.root, founding.use)
    cluster.create()
    _add_facts(home, {"postgres_major": cluster.major()})
    with cluster.running():
        cluster.create_roles()
        yield wiring.conninfo(home, "cs_superuser")


@contextmanager
def _site_database(home: Home, url: str, progress: Progress) -> Iterator[None]:
    """Make ourselves at home on the site's server, or leave nothing behind there."""
    address = site.parse_address(url)
    with site.superuser(url) as admin:
        for warning in site.require_fit(admin, address):
            progress(f"warning: {warning}")
        try:
            server = site.prepare(admin, home.root, address)
            _add_facts(home, {"postgres_major": server.major(), "database": address.value()})
            yield
        except BaseException:  # an interrupt too; raised again
            site.clear(admin)
            raise


def _clock(core: wiring.Core, founding: Founding) -> ClockState:
    """Measure the clock founders sign by. Raises ``CLOCK`` where it is not right and must be (P11-10-e.9)."""
    found = measure(read_sources(core.home.clock), wall_s, core.clock.database_s)
    core.clock.keep(found)
    state = ClockState(found.offset_us, found.kind, found.ok)
    if founding.use != "evaluation" and not state.ok:
        raise Refused("CLOCK", offset=found.why or f"{found.offset_us / 1e6:.3f} s")
    return state


def _folders(home: Home) -> None:
    for folder in (home.secrets, home.run, home.logs, home.export_key.parent, home.anchors.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.vault.mkdir(mode=0o700, exist_ok=True)


def _write_facts(home: Home, founding: Founding, uuid: str) -> None:
    value = {
        "format": wiring.FORMAT,
        "origin": founding.origin,
        "use": founding.use,
        "installation": uuid,
        "created_at": utc_now(),
    }
    home.manifest.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def _add_facts(home: Home, more: Mapping[str, Any]) -> None:
    value = json.loads(home.manifest.read_text("utf-8")) | dict(more)
    home.manifest.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def _keys(home: Home, origin: str) -> Signer:
    _secret_file(home.secret("admission.key"), secrets.token_hex(32))
    signer = Signer.create(home.signer, origin)
    create_seed(home.export_key)
    lines = [
        "# Public keys of this installation. Hand them over apart from any bundle.",
        signer.vkey(),
        wiring.export_key(home).verifier_key.format(),
    ]
    home.public_keys.write_text("\n".join(lines) + "\n", "utf-8")
    return signer


def _secret_file(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")


def _integrate(home: Home, signer: Signer) -> None:
    sequencer = sequencer_of(home, signer)
    try:
        while sequencer.step().integrated:
            pass
    finally:
        sequencer.close()


def sequencer_of(home: Home, signer: Any) -> Sequencer:
    """Return the sequencer of a home with its default anchor."""
    import psycopg

    admission = bytes.fromhex(home.secret("admission.key").read_text("ascii").strip())
    return Sequencer(
        connect=lambda: psycopg.connect(wiring.conninfo(home, "cs_sequencer")),
        signer=signer,
        admission_key=admission,
        anchors=(FileAnchor(home.anchors),),
    )
