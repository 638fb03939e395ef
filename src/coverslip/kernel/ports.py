"""Ports: what the kernel asks of a store, as data only.

Rules kept here:

* The boundary is data: facts in, a batch out. No connection, cursor or SQL passes it.
* A batch is one command: it is written whole or not at all, and it carries everything the store must
  compare again under lock (read set, scopes, authority epoch, session, time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Read:
    """A record a decision looked at and the ``seq`` it then had."""

    type: str
    uid: UUID
    seq: int


@dataclass(frozen=True, slots=True)
class Scope:
    """A guard that counts: its key (signed 64 bit) and the counter facts gave; None: only move it on.

    Every command that changes what such a guard counts names the scope too, without a counter.
    """

    key: int
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Projection:
    """The current state a record version leaves behind; lists as JSON objects.

    ``links`` [{field, type, uid, version?}]; ``authority`` [{person, kind, code, subject?, valid_from?,
    valid_to?, data?}]; ``blocks`` [{target_type, target_uid, reason}]; ``unique`` [{scope, value,
    forever?}]. Each list is the whole of what this record now confers: what is left out goes.
    ``keep_links`` says that the links are those of the version before, which need not be written again.
    """

    number: str
    state: str
    title: str
    gxp: str
    definition: str
    content: Mapping[str, Any]
    revision: int = 0
    site: UUID | None = None
    links: Sequence[Mapping[str, Any]] = ()
    authority: Sequence[Mapping[str, Any]] = ()
    blocks: Sequence[Mapping[str, Any]] = ()
    unique: Sequence[Mapping[str, Any]] = ()
    keep_links: bool = False

    def element(self) -> dict[str, Any]:
        """Return the JSON object of this state; absent instead of empty."""
        value: dict[str, Any] = {
            "number": self.number, "state": self.state, "title": self.title, "gxp": self.gxp,
            "def": self.definition, "content": self.content,
        }  # fmt: skip
        if self.revision:
            value["revision"] = self.revision
        if self.site is not None:
            value["site"] = str(self.site)
        for name, rows in (
            ("links", self.links), ("authority", self.authority),
            ("blocks", self.blocks), ("unique", self.unique),
        ):  # fmt: skip
            if rows:
                value[name] = list(rows)
        if self.keep_links:
            value.pop("links", None)
            value["keep_links"] = True
        return value


@dataclass(frozen=True, slots=True)
class NewEntry:
    """One entry to append.

    ``prev`` is the leaf hash (32 bytes) of version - 1; ``leaf`` the canonical bytes. ``fixed`` and
    ``erasable`` hold the sections stored with it, concatenated in leaf order, those without ``from``
    only; salts are 32 bytes each in the same order. ``actor`` where it differs from the batch's.
    """

    stream: UUID
    kind: str
    version: int
    prev: bytes | None
    leaf: bytes
    fixed_salts: bytes = b""
    fixed: bytes = b""
    erasable_salts: bytes | None = None
    erasable: bytes | None = None
    projection: Projection | None = None
    about: UUID | None = None
    actor: UUID | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One command: what to write and what must still hold when it is written. Times are aware."""

    command: UUID
    actor: UUID
    at: datetime
    entries: tuple[NewEntry, ...]
    session: UUID | None = None
    epoch: int | None = None
    valid_until: datetime | None = None
    reads: tuple[Read, ...] = ()
    scopes: tuple[Scope, ...] = ()
    idempotency_key: str | None = None
    request_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """What the store answers: entry ids in the order given, the time, and whether a repeated key
    brought back an earlier answer instead of writing."""

    entries: tuple[int, ...]
    at: str
    replayed: bool = field(default=False)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A command written before under an idempotency key.

    ``entries`` are pairs of leaf and ``content`` section, canonical bytes, in the order written.
    """

    command: UUID
    request_hash: bytes
    at: str
    entries: tuple[tuple[bytes, bytes], ...]


class Store(Protocol):
    """What a decision is made from and where it goes."""

    def facts(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Read everything a plan names in one statement. Raises UNAVAILABLE."""
        ...

    def commit(self, batch: Batch) -> Committed:
        """Write a command whole or not at all.

        Raises SIG_STALE when something read has changed, DUP, IDEMPOTENCY, AUTH_REQUIRED, CLOCK, and
        TRAIL_UNAVAILABLE when nothing could be written.
        """
        ...

    def earlier(self, actor: UUID, key: str) -> Earlier | None:
        """Return what this actor wrote under an idempotency key, if anything."""
        ...
