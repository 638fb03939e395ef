"""Wiring: open the parts of an installation and hand them to each other.

Rules kept here: each process opens only what its role needs; secrets are read from the home and go
nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from coverslip.bootstrap.site_types import site_types
from coverslip.errors import EnvironmentFault, EvidenceBroken, Invalid
from coverslip.kernel.attempt import Gatherer
from coverslip.kernel.clock import monotonic_s
from coverslip.kernel.codes import Codes
from coverslip.kernel.commit import Door
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.events import Events
from coverslip.kernel.identity import Identity
from coverslip.kernel.refined import refined, refinement
from coverslip.kernel.refinery import unfit
from coverslip.kernel.ring import Ring
from coverslip.ledger import note
from coverslip.records import all_types
from coverslip.settings import Home
from coverslip.store.accounts_sql import PostgresAccounts
from coverslip.store.clock_sql import PostgresClock
from coverslip.store.definitions import refinements, told
from coverslip.store.ledger_sql import PostgresStore, writer_pool
from coverslip.store.notes import NoteKey, NoteVerifier, read_seed
from coverslip.store.pool import Pool
from coverslip.store.quarantine import READ_ONLY, QuarantinedAccounts, QuarantinedStore
from coverslip.store.reading import PostgresReading
from coverslip.store.room import Room
from coverslip.store.server import Cluster, SiteServer, site
from coverslip.vault.local import LocalVault

FORMAT = 1
_SOCKET_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Facts:
    """What ``coverslip.json`` says of an installation."""

    origin: str
    use: str
    uuid: str
    created_at: str
    postgres_major: int | None = None
    database: site.Address | None = None


def installation(home: Home) -> Facts:
    """Read the home's facts; raises ``ENVIRONMENT`` when there is no installation here, or a later one."""
    try:
        value = json.loads(home.manifest.read_text("utf-8"))
        if int(value["format"]) > FORMAT:
            raise _later(home, int(value["format"]))
        major = value.get("postgres_major")
        address = site.Address(**value["database"]) if "database" in value else None
        return Facts(
            value["origin"], value["use"], value["installation"], value["created_at"],
            None if major is None else int(major), address,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=str(home.root),
            expected="an installation of Coverslip",
            found=type(error).__name__,
            remedy="Found one with 'coverslip init', or name another home with --home.",
        ) from error


def _later(home: Home, found: int) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT",
        what=str(home.manifest),
        expected=f"format {FORMAT}",
        found=f"format {found}, that of a later release",
        remedy="Install the release that last ran here, or a later one.",
    )


@cache
def catalogue(types: Path | None = None) -> Catalogue:
    """Return the shipped types and those declared in the folder ``types``, checked once per process."""
    return Catalogue((*all_types(), *(site_types(types) if types is not None else ())))


def catalogue_in_force(home: Home, conn: psycopg.Connection[Any]) -> Catalogue:
    """Return the shipped types with the refinements in force here.

    Raises ENVIRONMENT naming every refinement and step that a type of this release no longer fits.
    """
    try:
        return refined(catalogue(home.types), [refinement(code, data) for code, data in refinements(conn)])
    except Invalid as error:
        raise unfit(error) from error


def cluster_of(home: Home) -> Cluster | SiteServer:
    """Return the home's PostgreSQL: its own, not started, or the site's."""
    facts = installation(home)
    if facts.database is not None:
        return SiteServer(home.root, facts.database, facts.postgres_major)
    return Cluster(home.root, facts.use, pinned=facts.postgres_major)


def conninfo(home: Home, role: str) -> str:
    """Return the connection string of a database role of this home."""
    return make_conninfo(**cluster_of(home).dsn(role))


@contextmanager
def database(home: Home) -> Iterator[None]:
    """Have the home's database running: the server's if it is up, else one started for the while."""
    cluster = cluster_of(home)
    if isinstance(cluster, Cluster) and cluster.status().state == "running":
        yield
        return
    with cluster.running():
        yield


@contextmanager
def connection(home: Home, role: str) -> Iterator[psycopg.Connection[Any]]:
    """Lend one autocommit connection of a role."""
    try:
        with psycopg.connect(conninfo(home, role), autocommit=True) as conn:
            yield conn
    except psycopg.OperationalError as error:
        raise EnvironmentFault("UNAVAILABLE", what="The database") from error


def _socket(home: Home, name: str) -> Path:
    """Return a socket path short enough for the kernel: in the home, else in a private folder of its own."""
    path = home.run / name
    if len(str(path).encode()) <= _SOCKET_LIMIT:
        return path
    tag = hashlib.sha256(str(home.root).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"coverslip-{os.getuid()}-{tag}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=str(folder),
            expected="a private folder of this user",
            found="another's",
            remedy="Remove it, or use a shorter home path.",
        )
    return folder / name


def api_socket(home: Home) -> Path:
    """Return the private socket of the REST interface."""
    return _socket(home, "api.sock")


def name_address(home: Home, path: Path) -> None:
    """Write where the interface listens into the home, only where that is not in the home itself."""
    note = home.run / "api.address"
    if path.parent == home.run:
        note.unlink(missing_ok=True)
    else:
        note.write_text(f"unix:{path}\n", "utf-8")


def signer_socket(home: Home) -> Path:
    """Return the private socket of the signer."""
    return _socket(home, "signer.sock")


def bind_unix(path: Path) -> socket.socket:
    """Return a listening private socket (mode 0600)."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        found.bind(str(path))
    finally:
        os.umask(before)
    found.listen(128)
    return found


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ``ENVIRONMENT`` for an address that is taken or another's."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # Without the protocol named, asyncio leaves the kernel to hold small answers back for 40 ms.
        found = socket.socket(family, kind, socket.IPPROTO_TCP)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=f"{host}:{port}",
            expected="a free address of this machine",
            found=error.strerror or str(error),
            remedy="Name another with --host and --port.",
        ) from error
    found.listen(128)
    return found


@dataclass(frozen=True)
class Core:
    """The kernel over this home's store; closed with the pool."""

    home: Home
    facts: Facts
    catalogue: Catalogue
    pool: Pool
    store: PostgresStore
    accounts: PostgresAccounts
    reading: PostgresReading
    events: Events
    identity: Identity
    door: Door
    vault: LocalVault
    clock: PostgresClock


@contextmanager
def core(
    home: Home,
    gatherers: dict[tuple[str, int], Any] | None = None,
    size: int = 8,
    quarantine: EvidenceBroken | None = None,
) -> Iterator[Core]:
    """Open the kernel of a home whose database runs.

    ``gatherers`` are built from the reading side: ``name, version -> function(reading) -> gatherer``.
    With ``quarantine``, the reason of it, nothing can be written.
    """
    facts = installation(home)
    admission = bytes.fromhex(home.secret("admission.key").read_text("ascii").strip())
    more = {} if quarantine is None else {"options": READ_ONLY}
    with writer_pool(make_conninfo(conninfo(home, "cs_writer"), **more), size) as pool:
        store, accounts = PostgresStore(pool, admission, Room(home.root / "postgres")), PostgresAccounts(pool)
        store.before_first = lambda: _insist(home)
        if quarantine is not None:
            store = QuarantinedStore(pool, quarantine, home.logs / "quarantine.jsonl")
            accounts = QuarantinedAccounts(pool, quarantine, monotonic_s)
        reading = PostgresReading(pool)
        clock = PostgresClock(pool)
        events = Events(store, accounts, clock.state)
        key = credential_key(home)
        ring = Ring(accounts, events, accounts.now, key=key)
        codes = Codes(accounts, events, accounts.now, f"Coverslip {facts.origin}", key)
        identity = Identity(accounts, events, accounts.now, ring, codes)
        made: dict[tuple[str, int], Gatherer] = {k: f(reading) for k, f in (gatherers or {}).items()}
        vault = LocalVault(home.vault)
        known = catalogue(home.types).recalling(lambda: _definitions(pool))
        door = Door(known, store, identity, clock.state, events, made, kept_in(vault))
        yield Core(
            home,
            facts,
            door.catalogue,
            pool,
            store,
            accounts,
            reading,
            events,
            identity,
            door,
            vault,
            clock,
        )


def credential_key(home: Home) -> bytes:
    """Return the key that seals second factors and makes challenges (32 bytes); the first to ask makes it."""
    path = home.secret("credential.key")
    if not path.exists():
        made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        # Linked, not renamed: of two processes that make it at once one wins, and both read that one.
        with suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return bytes.fromhex(path.read_text("ascii").strip())


def _definitions(pool: Pool) -> dict[str, bytes]:
    with pool.connection() as conn:
        return {one.hash: one.canonical for one in told(conn).definitions}


def _insist(home: Home) -> None:
    """Refuse to write to a database that contradicts what was signed, whoever opened it."""
    from coverslip.bootstrap.quarantine import insist_sound

    insist_sound(home)


def kept_in(vault: LocalVault) -> Callable[[Mapping[str, Any]], bool]:
    """Return the question whether a vault keeps a file with the size and hash given."""

    def kept(item: Mapping[str, Any]) -> bool:
        root = str(item["root"])
        if not vault.has(root):
            return False
        found = vault.sidecar(root)
        return (found.size, found.sha256.hex()) == (item["size"], item["sha256"])

    return kept


def export_key(home: Home) -> NoteKey:
    """Return the key that signs the manifests of evidence bundles."""
    return NoteKey(f"{installation(home).origin}/export", read_seed(home.export_key))


def trusted(home: Home) -> list[NoteVerifier]:
    """Return the verifiers of this home's own public keys, for checks by its operator."""
    found = []
    for line in home.public_keys.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            found.append(NoteVerifier(note.VerifierKey.parse(line.strip())))
    return found


@contextmanager
def superuser(home: Home, database_url: str = "") -> Iterator[psycopg.Connection[Any]]:
    """Lend a superuser's connection; ``database_url`` names that of the site's own server, if it is used."""
    cluster = cluster_of(home)
    if isinstance(cluster, Cluster):
        with connection(home, "cs_superuser") as conn:
            yield conn
    else:
        with site.superuser(database_url, cluster.address) as conn:
            yield conn


@contextmanager
def migrators(home: Home, database_url: str = "") -> Iterator[tuple[str, str]]:
    """Lend the connection strings of a superuser and of ``cs_migrator``, who may log in inside the block."""
    cluster = cluster_of(home)
    if isinstance(cluster, Cluster):
        with cluster.migrating() as migrator:
            yield conninfo(home, "cs_superuser"), make_conninfo(**migrator)
    else:
        with cluster.migrating(database_url) as migrator:
            yield database_url, make_conninfo(**migrator)
