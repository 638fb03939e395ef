"""What each role may do, as PostgreSQL itself answers it: a list people can read.

Rules kept here: effective privileges are asked for, with those of PUBLIC and of memberships;
``privileges.txt`` is this list for a new database of this release, written by ``scripts/schema.py``.
``cs_migrator`` is left out: while it may log in, it is ``cs_owner``.
"""

from __future__ import annotations

from collections import defaultdict
from importlib.resources import files
from typing import Any, Final

import psycopg

ROLES: Final = ("cs_writer", "cs_sequencer", "cs_reader", "cs_verifier", "cs_eraser")
TABLE_RIGHTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


def matrix(conn: psycopg.Connection[Any]) -> dict[tuple[str, str], list[str]]:
    """Return (role, object) -> privileges, sorted; objects without any are left out."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    values = {"roles": list(ROLES), "rights": list(TABLE_RIGHTS)}
    queries = (files("coverslip.store") / "privileges.sql").read_text("utf-8").split(";\n")
    for query in queries:
        for role, name, right in conn.execute(query.encode(), values) if query.strip() else ():
            found[str(role), str(name)].append(str(right))
    return {key: sorted(rights) for key, rights in sorted(found.items())}


def text(found: dict[tuple[str, str], list[str]]) -> str:
    """Return the list as it is committed: one role after the other, one object a line."""
    lines = []
    for role in ROLES:
        lines += [f"{role}"]
        lines += [f"  {name}: {', '.join(rights)}" for (who, name), rights in found.items() if who == role]
    return "\n".join(lines) + "\n"
