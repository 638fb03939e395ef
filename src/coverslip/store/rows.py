"""Entries in tree order with their bodies, cut into sections.

Rules kept here: rows stream through a server-side cursor, so memory does not grow with the log; a body is
cut by the lengths its leaf names, erasable and fixed sections apart, those without ``from`` only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg

from coverslip.ledger.commitment import ERASABLE, SALT_SIZE
from coverslip.store.feeds import Raw

_BATCH: Final = 2000
_SELECT: Final = """
select l.idx, l.entry_id, e.id, e.record_id, e.version, e.kind, e.actor, e.command_id, e.about,
       e.leaf, e.leaf_hash, b.entry_id is not null, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable
from ledger.leaf l
left join ledger.entry e on e.log_id = l.log_id and e.id = l.entry_id
left join ledger.body b on b.entry_id = l.entry_id
where l.log_id = 1 order by l.idx
"""
_NONE: Final = UUID(int=0)


@dataclass(slots=True)
class Row:
    """One leaf's entry as stored. ``id`` is None where the entry is gone; hashes are 32 bytes."""

    index: int
    entry_id: int
    id: int | None
    stream: UUID
    version: int
    kind: str
    actor: UUID
    command: UUID
    about: UUID | None
    leaf: bytes
    leaf_hash: bytes
    has_body: bool
    fixed_salts: bytes | None
    fixed: bytes | None
    erasable_salts: bytes | None
    erasable: bytes | None

    @classmethod
    def of(cls, raw: Raw) -> Row:
        """Return the row of what :mod:`coverslip.store.feeds` gives."""
        index, entry_id, id, stream, version, kind, actor, command, about = raw[:9]
        if id is None:
            return cls(index, entry_id, None, _NONE, version, kind, _NONE, _NONE, None, *raw[9:16])
        subject = None if about is None else UUID(about)
        return cls(
            index, entry_id, id, UUID(stream), version, kind, UUID(actor), UUID(command), subject, *raw[9:16]
        )


def stream(conn: psycopg.Connection[Any]) -> Iterator[Row]:
    """Yield every leaf of log 1 in order. ``conn`` must be within a transaction."""
    with conn.cursor(name="coverslip_leaves", binary=True) as cursor:
        cursor.itersize = _BATCH
        cursor.execute(_SELECT)
        for row in cursor:
            yield Row(*row)


@dataclass(frozen=True, slots=True)
class Cut:
    """A body cut into (salt, content) by section; ``problem`` where lengths do not fit."""

    sections: dict[str, tuple[bytes, bytes]]
    missing: tuple[str, ...] = ()
    problem: str = ""


def cut(row: Row, bodies: list[dict[str, Any]]) -> Cut:
    """Return the sections stored with an entry whose leaf names ``bodies``; ``missing`` are those erased."""
    stored = [ref for ref in bodies if "from" not in ref]
    found: dict[str, tuple[bytes, bytes]] = {}
    missing: list[str] = []
    problem = ""
    for erasable, salts, content in (
        (False, row.fixed_salts, row.fixed), (True, row.erasable_salts, row.erasable)
    ):  # fmt: skip
        refs = [ref for ref in stored if (ref["s"] in ERASABLE) is erasable]
        if salts is None or content is None:
            missing += [ref["s"] for ref in refs]
            continue
        if len(salts) != SALT_SIZE * len(refs) or len(content) != sum(ref["n"] for ref in refs):
            word = "erasable" if erasable else "fixed"
            problem = (
                f"{len(salts)} bytes of salt and {len(content)} of {word} content, the leaf names others"
            )
        position = 0
        for number, ref in enumerate(refs):
            found[ref["s"]] = (
                salts[number * SALT_SIZE : (number + 1) * SALT_SIZE], content[position : position + ref["n"]]
            )  # fmt: skip
            position += ref["n"]
    return Cut(found, tuple(missing), problem)
