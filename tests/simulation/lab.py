"""A ledger laboratory: a real PostgreSQL, an open log, and entries made the way the kernel makes them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from coverslip.kernel.ports import Batch, Committed, NewEntry, Projection, Read, Scope
from coverslip.ledger import canonical, commitment, leaf
from coverslip.ledger.files import uuid7
from coverslip.store.anchors import FileAnchor, read_file_anchor
from coverslip.store.findings import Report
from coverslip.store.ledger_sql import PostgresStore, writer_pool
from coverslip.store.migrate import migrate, open_installation
from coverslip.store.pool import Pool
from coverslip.store.sequencer import Sequencer
from coverslip.store.signer import Signer, read_journal
from coverslip.store.verify import verify_ledger

ORIGIN = "lab.example/coverslip"
ROLES = ("cs_migrator", "cs_writer", "cs_sequencer", "cs_reader", "cs_verifier", "cs_eraser")
DEFINITION = "d" * 64


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path is not None, "these tests need PostgreSQL's initdb: install PostgreSQL 15 or newer"
    return Path(on_path).resolve().parent


class Server:
    """One throw-away PostgreSQL on a private socket, run as user postgres where the tests run as root."""

    def __init__(self) -> None:
        self.bin = _binaries()
        self.home = Path(tempfile.mkdtemp(prefix="cslab"))
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.home, self.user)
        self._run(
            "initdb", "-D", self.home / "data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"
        )
        options = (
            f"-k {self.home} -c listen_addresses= -c max_connections=60 -c shared_buffers=32MB -c fsync=off"
        )
        self._run("pg_ctl", "-D", self.home / "data", "-w", "-l", self.home / "log", "-o", options, "start")

    def _run(self, program: str, *args: object) -> None:
        subprocess.run(
            [self.bin / program, *map(str, args)],
            check=True,
            user=self.user,
            cwd=self.home,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )

    def dsn(self, database: str, role: str = "postgres") -> str:
        return f"host={self.home} user={role} dbname={database}"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.home / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.home)

    def template(self) -> str:
        """Return a migrated database to copy from, made once."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as conn:
            if conn.execute("select 1 from pg_database where datname = 'blank'").fetchone():
                return "blank"
            conn.execute("create database blank")
        migrate(self.dsn("blank"))
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as conn:
            for role in ROLES:
                conn.execute(f"alter role {role} login")
        return "blank"


@dataclass
class Head:
    """What the kernel would know of a record after writing it."""

    kind: str
    uid: UUID
    number: str
    version: int
    leaf_hash: bytes
    seq: int
    content: dict[str, Any]
    versions: dict[str, tuple[int, bytes, int]] = field(default_factory=dict)

    def read(self) -> Read:
        return Read(self.kind, self.uid, self.seq)

    def link(self) -> dict[str, Any]:
        return {
            "type": self.kind,
            "uid": str(self.uid),
            "number": self.number,
            "version": self.version,
            "hash": self.leaf_hash.hex(),
        }


class Lab:
    """One database with an open log, and makers of entries."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.database = "t" + secrets.token_hex(6)
        template = server.template()
        with psycopg.connect(server.dsn("postgres"), autocommit=True) as conn:
            conn.execute(f"create database {self.database} template {template}")
            roles = ", ".join(ROLES)
            conn.execute(f"grant connect, temporary on database {self.database} to {roles}")
        self.key = secrets.token_bytes(32)
        self.actor = uuid4()
        self.session: UUID | None = None
        self.sequencer: Sequencer | None = None
        self.installation = uuid4()
        open_installation(
            self.dsn("postgres"),
            origin=ORIGIN,
            use="evaluation",
            uuid=self.installation,
            created_at=datetime.now(UTC),
        )
        self.pool: Pool = writer_pool(self.dsn("cs_writer"), size=6).open()
        self.store = PostgresStore(self.pool, self.key)

    def close(self) -> None:
        if self.sequencer is not None:
            self.sequencer.close()
            self.signer.close()
        self.pool.close()
        with psycopg.connect(self.server.dsn("postgres"), autocommit=True) as conn:
            conn.execute(f"drop database {self.database} with (force)")

    def dsn(self, role: str) -> str:
        return self.server.dsn(self.database, role)

    def connect(self, role: str = "postgres", autocommit: bool = True) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn(role), autocommit=autocommit)

    def one(self, sql: str, *values: object) -> Any:
        """Return the first value of a query run as superuser."""
        with self.connect() as conn:
            row = conn.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def open_session(self, minutes: int = 10) -> UUID:
        session = uuid7()
        with self.connect("cs_writer") as conn:
            conn.execute(
                "insert into ops.session(session, person, expires_at) values (%s, %s, %s)",
                (session, self.actor, datetime.now(UTC) + timedelta(minutes=minutes)),
            )
        return session

    # --- entries ---------------------------------------------------------------------------------
    def entry(
        self,
        kind: str,
        number: str,
        *,
        after: Head | None = None,
        uid: UUID | None = None,
        state: str = "draft",
        fields: dict[str, Any] | None = None,
        reason: str | None = "because",
        type: str = "record",
        command: UUID,
        at: datetime,
        links: list[dict[str, Any]] | None = None,
        authority: list[dict[str, Any]] | None = None,
        blocks: list[dict[str, Any]] | None = None,
        unique: list[dict[str, Any]] | None = None,
        revision: int = 0,
        signature: dict[str, Any] | None = None,
        act: str = "edit",
        title: str = "",
    ) -> tuple[NewEntry, Head]:
        """Return one record version and the head it leaves."""
        stream = after.uid if after else uid or uuid7()
        version = after.version + 1 if after else 1
        content = {
            "type": kind,
            "number": number,
            "state": state,
            "title": title or number,
            "gxp": "gmp",
            "created_at": after.content["created_at"] if after else leaf.format_time(at),
            "created_by": str(self.actor),
            "fields": fields or {},
        }
        if revision:
            content["revision"] = revision
        sections: dict[str, bytes] = {"content": canonical.encode(content)}
        if reason is not None:
            sections["reason"] = reason.encode()
        if signature is not None:
            sections["signature"] = canonical.encode(signature)
        new, hashed = self._seal(
            kind,
            stream,
            version,
            after.leaf_hash if after else None,
            sections,
            type,
            act,
            command,
            at,
            DEFINITION,
        )
        projection = Projection(
            number,
            state,
            title or number,
            "gmp",
            DEFINITION,
            content,
            revision,
            None,
            tuple(links or ()),
            tuple(authority or ()),
            tuple(blocks or ()),
            tuple(unique or ()),
        )
        ready = NewEntry(
            stream, kind, version, after.leaf_hash if after else None, new[0], *new[1:], projection=projection
        )
        return ready, Head(kind, stream, number, version, hashed, (after.seq + 1) if after else 1, content)

    def stream_entry(
        self,
        kind: str,
        stream: UUID,
        version: int,
        prev: bytes | None,
        *,
        type: str,
        command: UUID,
        at: datetime,
        detail: dict[str, Any],
        about: Head | None = None,
    ) -> tuple[NewEntry, bytes]:
        """Return one entry of a session or of the installation and its leaf hash."""
        new, hashed = self._seal(
            kind,
            stream,
            version,
            prev,
            {"detail": canonical.encode(detail)},
            type,
            type,
            command,
            at,
            None,
            about,
        )
        return NewEntry(
            stream, kind, version, prev, new[0], *new[1:], about=about.uid if about else None
        ), hashed

    def _seal(
        self,
        kind: str,
        stream: UUID,
        version: int,
        prev: bytes | None,
        sections: dict[str, bytes],
        type: str,
        act: str,
        command: UUID,
        at: datetime,
        definition: str | None,
        about: Head | None = None,
    ) -> tuple[tuple[bytes, bytes, bytes, bytes | None, bytes | None], bytes]:
        refs, fixed, erasable = [], [], []
        for name in sorted(sections):
            salt = commitment.new_salt()
            data = sections[name]
            refs.append(leaf.BodyRef(name, commitment.commit(name, salt, data).hex(), len(data)))
            (erasable if name in commitment.ERASABLE else fixed).append((salt, data))
        made = leaf.Leaf(
            log=ORIGIN,
            entry=str(uuid7()),
            type=type,
            act=act,
            cmd=str(command),
            record=leaf.Record(kind, str(stream), version, prev.hex() if prev else None),
            actor=leaf.Actor(str(self.actor), str(self.session or uuid4()), "password"),
            at=leaf.format_time(at),
            clock=leaf.Clock(0, "none", False),
            sw="coverslip/0.1.0",
            bodies=tuple(refs),
            definition=definition,
            about=leaf.About(about.kind, str(about.uid), about.version) if about else None,
        )
        data = made.to_bytes()
        parts = (
            data,
            b"".join(s for s, _ in fixed),
            b"".join(d for _, d in fixed),
            b"".join(s for s, _ in erasable) if erasable else None,
            b"".join(d for _, d in erasable) if erasable else None,
        )
        return parts, leaf.hash(data)

    def write(
        self,
        kind: str,
        number: str = "",
        *,
        after: Head | None = None,
        reads: tuple[Read, ...] = (),
        scopes: tuple[Scope, ...] = (),
        key: str | None = None,
        request: bytes | None = None,
        epoch: int | None = None,
        session: UUID | None = None,
        valid_until: datetime | None = None,
        at: datetime | None = None,
        command: UUID | None = None,
        **more: Any,
    ) -> Head:
        """Commit one record version and return its head."""
        command = command or uuid7()
        at = at or datetime.now(UTC)
        ready, head = self.entry(
            kind, number or (after.number if after else ""), after=after, command=command, at=at, **more
        )
        self.commit(
            Batch(
                command,
                self.actor,
                at,
                (ready,),
                session=session,
                epoch=epoch,
                valid_until=valid_until,
                reads=reads,
                scopes=scopes,
                idempotency_key=key,
                request_hash=request,
            )
        )
        return head

    def commit(self, batch: Batch) -> Committed:
        return self.store.commit(batch)

    # --- sequencing and checking -------------------------------------------------------------------
    def start_signing(self, folder: Path) -> Sequencer:
        """Make signer, anchor file and sequencer; the sequencer is stepped by the test."""
        self.signer = Signer.create(folder / "signer", ORIGIN)
        self.anchor = FileAnchor(folder / "anchors" / "checkpoints")
        self.sequencer = Sequencer(
            lambda: self.connect("cs_sequencer"), self.signer, self.key, anchors=[self.anchor]
        )
        self.folder = folder
        return self.sequencer

    def verify(self) -> Report:
        """Verify the ledger as cs_verifier with the signer's journal and the anchor file.

        Guards that ``tamper`` switched off are on again first: whoever tampers would see to that.
        """
        self._guards_on()
        with self.connect("cs_verifier") as conn:
            return verify_ledger(
                conn, read_journal(self.folder / "signer" / "journal"), read_file_anchor(self.anchor.path),
                [self.signer.vkey()],
            )  # fmt: skip

    def _guards_on(self) -> None:
        with self.connect() as conn:
            off = conn.execute("select evtname from pg_event_trigger where evtenabled <> 'A'").fetchall()
            if not off:
                return
            for table in ("entry", "leaf", "tile", "checkpoint", "anchor", "body"):
                for name in ("no_delete", "erase_only") if table == "body" else ("append_only",):
                    conn.execute(f"alter table ledger.{table} enable always trigger {name}")
                conn.execute(f"alter table ledger.{table} enable always trigger no_truncate")
            for (guard,) in off:
                conn.execute(f"alter event trigger {guard} enable always")

    def tamper(self, *statements: str) -> None:
        """Do what a superuser can: triggers and guards off, then anything."""
        with self.connect() as conn:
            for guard in ("coverslip_ddl_guard", "coverslip_drop_guard"):
                conn.execute(f"alter event trigger {guard} disable")
            for table in ("entry", "leaf", "tile", "checkpoint", "anchor", "body"):
                conn.execute(f"alter table ledger.{table} disable trigger all")
            for statement in statements:
                conn.execute(statement)


def as_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
