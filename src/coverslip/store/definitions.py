"""Definitions on the log, and the migrations it tells of.

Rules kept here:

* Both stand on the installation's stream and are read from its bodies. A definition is named by the hash
  of what was read, so that altered bytes are another definition and never pass for the one that was meant.
* The order is that of the stream: the last definition of a type is the one in force.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from coverslip.ledger import canonical, leaf
from coverslip.store.sections import sections_of

Connection = psycopg.Connection[Any]

# The predicate is that of the index entry_defines, word for word.
_SELECT: Final = """
select e.leaf, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable
from ledger.entry e join ledger.body b on b.entry_id = e.id
where e.log_id = 1 and e.kind = 'installation'
  and (position('"act":"define"'::bytea in e.leaf) > 0 or position('"act":"migrate"'::bytea in e.leaf) > 0)
order by e.version
"""


@dataclass(frozen=True, slots=True)
class Defined:
    """A definition as the log carries it: type name, hash (hex) and canonical form.

    ``shipped`` is the hash of the shipped definition a site refined, its own where none did.
    """

    type: str
    hash: str
    canonical: bytes
    shipped: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the log tells: definitions in order, and the numbers of migrations that entries name.

    ``server`` is the major version of PostgreSQL the installation was moved to last, empty without a move.
    """

    definitions: tuple[Defined, ...]
    migrations: frozenset[int]
    server: str = ""

    @property
    def in_force(self) -> dict[str, str]:
        """The hash of the last definition of every type."""
        return {one.type: one.hash for one in self.definitions}


def told(conn: Connection) -> Told:
    """Read definitions and named migrations. ``conn`` may select from ``ledger``.

    Raises EVIDENCE when a body does not fit its leaf.
    """
    definitions, migrations, server = [], set[int](), ""
    for parsed, sections in _entries(conn):
        if parsed.act == "define" and "definition" in sections:
            form = sections["definition"]
            said = canonical.decode(form)
            hashed = hashlib.sha256(form).hexdigest()
            shipped = str(said["refined"]["shipped"]) if "refined" in said else hashed
            definitions.append(Defined(str(said["type"]["name"]), hashed, form, shipped))
        elif parsed.act == "migrate":
            said = canonical.decode(sections["detail"])
            migrations |= {int(one["number"]) for one in said.get("migrations", ())}
            server = str(said.get("database", {}).get("to", server))
    return Told(tuple(definitions), frozenset(migrations), server)


def _entries(conn: Connection) -> Iterator[tuple[leaf.Leaf, dict[str, bytes]]]:
    names = ("fixed_salts", "fixed", "erasable_salts", "erasable")
    for data, *columns in conn.execute(_SELECT.encode()).fetchall():
        parsed = leaf.parse(bytes(data))
        found = sections_of(parsed, dict(zip(names, columns, strict=True)))
        yield parsed, {name: content for name, (_, content) in found.items()}


def refinements(conn: Connection) -> list[tuple[str, dict[str, Any]]]:
    """Return the refinements in force or withdrawn: number of the record, and what it confers."""
    rows = conn.execute(
        "select code, data from projection.authority where kind = 'refines' order by code"
    ).fetchall()
    return [(str(code), data) for code, data in rows]


def states_in_use(conn: Connection) -> dict[str, set[str]]:
    """Return the states that records of each type are in now."""
    found: dict[str, set[str]] = {}
    for kind, state in conn.execute("select distinct type, state from projection.record").fetchall():
        found.setdefault(str(kind), set()).add(str(state))
    return found


def unnamed(conn: Connection, said: Told) -> list[dict[str, Any]]:
    """Return the migrations applied since the founding that no entry names: number, name, sha256."""
    rows = conn.execute(
        "select m.number, m.name, m.sha256 from ops.migration m"
        " where m.applied_at > (select min(e.at) from ledger.entry e where e.log_id = 1) order by m.number"
    ).fetchall()
    return [
        {"number": int(number), "name": str(name), "sha256": str(sha256)}
        for number, name, sha256 in rows
        if number not in said.migrations
    ]
