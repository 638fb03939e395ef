"""The schema's fingerprint: is everything that guards the ledger as this release made it?

Rules kept here:

* The fingerprint is the SHA-256 of a list of named objects (``catalogs.sql``), read in one snapshot.
* What differs is named: the object, what is expected, what is found. Nothing is put right here.
* What is expected is shipped with the release (``schema.json``) and made from a new database by
  ``scripts/schema.py``; it counts only for a database that has exactly this release's migrations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import psycopg

from coverslip.ledger import canonical
from coverslip.store.migrate import Migration, published

ABSENT: Final = "absent"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``objects`` are name -> description; ``system`` describes PostgreSQL's own functions."""

    objects: Mapping[str, str]
    system: str = ""

    @property
    def hash(self) -> str:
        """SHA-256, hex, over the canonical list of the objects, without ``system``."""
        value = {"v": VERSION, "objects": [[name, self.objects[name]] for name in sorted(self.objects)]}
        return hashlib.sha256(canonical.encode(value)).hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not as expected; either side may be ``absent``."""

    object: str
    expected: str
    found: str

    def sentence(self) -> str:
        """Return the difference in words."""
        if self.found == ABSENT:
            return f"{self.object} is gone; expected: {self.expected}"
        if self.expected == ABSENT:
            return f"{self.object} is not published; found: {self.found}"
        return f"{self.object} differs; expected: {self.expected}; found: {self.found}"

    def value(self, limit: int = 600) -> dict[str, str]:
        """Return the difference for an entry or for JSON, long descriptions cut."""
        return {"object": self.object[:limit], "expected": self.expected[:limit], "found": self.found[:limit]}


@cache
def _queries() -> tuple[bytes, ...]:
    text = (files("coverslip.store") / "catalogs.sql").read_text("utf-8")
    return tuple(one.encode() for one in text.split(";\n") if one.strip())


def read(conn: psycopg.Connection[Any]) -> Fingerprint:
    """Return the fingerprint of the database of ``conn``, an idle connection of cs_verifier or better."""
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        return describe(conn)


def describe(conn: psycopg.Connection[Any]) -> Fingerprint:
    """Return the fingerprint as the open transaction of ``conn`` sees it; its search path stays set."""
    objects: dict[str, str] = {}
    *described, system = _queries()
    # Names in definitions are written out in full, and no temporary table stands before a catalog.
    conn.execute("set local search_path = pg_catalog, pg_temp")
    for query in described:
        for name, value in conn.execute(query):
            objects[str(name)] = "" if value is None else str(value)
    row = conn.execute(system).fetchone()
    return Fingerprint(objects, "" if row is None else str(row[1]))


def compare(expected: Mapping[str, str], found: Mapping[str, str]) -> list[Difference]:
    """Return what differs, by name."""
    return [
        Difference(name, expected.get(name, ABSENT), found.get(name, ABSENT))
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


def migrations_hash(migrations: Sequence[Migration]) -> str:
    """Return the hash that names a set of published migrations."""
    lines = "".join(f"{one.number} {one.name} {one.sha256}\n" for one in migrations)
    return hashlib.sha256(lines.encode()).hexdigest()


def expected() -> Fingerprint | None:
    """Return what a database of this release has; ``None`` when the shipped list is of other migrations."""
    value = json.loads((files("coverslip.store") / "schema.json").read_text("utf-8"))
    if value["migrations"] != migrations_hash(published()):
        return None
    return Fingerprint(value["objects"])


def to_json(found: Fingerprint) -> str:
    """Return the text of ``schema.json`` for a database of exactly this release, one object a line."""
    value = {
        "migrations": migrations_hash(published()),
        "hash": found.hash,
        "objects": {name: found.objects[name] for name in sorted(found.objects)},
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def pending(found: Fingerprint) -> list[str]:
    """Return the migrations of this release that the database does not have, ``NNNN name``."""
    names = [f"{one.number:04} {one.name}" for one in published()]
    return [name for name in names if f"migration {name}" not in found.objects]


def deviations(found: Fingerprint) -> list[Difference] | None:
    """Return what differs from this release; ``None`` where that cannot be said.

    It cannot be said while migrations are pending: the database is of an earlier release then.
    """
    wanted = expected()
    if wanted is None or pending(found):
        return None
    return compare(wanted.objects, found.objects)
