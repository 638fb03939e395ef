"""Versions of records as the ledger keeps them, and the definitions that were on the log by a time.

Rules kept here: everything is read from entries and bodies, nothing from what is projected today but which
stream a number names, which never changes; personal fields that were erased are absent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from typing import Any, Final

import orjson

from coverslip.errors import EvidenceBroken
from coverslip.kernel.past import Version
from coverslip.ledger import leaf
from coverslip.store.pool import Pool
from coverslip.store.replay import merged
from coverslip.store.rows import Row, cut
from coverslip.store.sections import sections_of

_SELECT: Final = """
select 0::bigint, e.id, e.id, e.record_id, e.version, e.kind, e.actor, e.command_id, e.about,
       e.leaf, e.leaf_hash, b.entry_id is not null, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable
from ledger.entry e left join ledger.body b on b.entry_id = e.id
where e.log_id = 1 and e.about is null and {which}
  and (exists (select 1 from ledger.leaf l where l.entry_id = e.id)
    or not exists (select 1 from ops.alarm a where a.entry_id = e.id and a.kind = 'admission'))
order by e.record_id, e.version
"""
_OF_TYPES: Final = _SELECT.format(
    which="e.record_id in (select uid from projection.number where type = any(%(k)s))"
)
_OF_NUMBER: Final = _SELECT.format(
    which="e.record_id in (select uid from projection.number where number = any(%(n)s))"
)
_DEFINED: Final = """
select e.leaf, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable
from ledger.entry e join ledger.body b on b.entry_id = e.id
where e.log_id = 1 and e.kind = 'installation'
  and (position('"act":"define"'::bytea in e.leaf) > 0 or position('"act":"migrate"'::bytea in e.leaf) > 0)
order by e.version
"""
_BODY: Final = ("fixed_salts", "fixed", "erasable_salts", "erasable")


class PostgresPast:
    """Reads on a pool that may select from ``ledger`` and ``projection.number``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def of_types(self, kinds: Collection[str]) -> Iterator[Version]:
        """Yield every version of every record of these types, record by record, oldest first."""
        return self._versions(_OF_TYPES, k=list(kinds))

    def of_numbers(self, numbers: Collection[str]) -> Iterator[Version]:
        """Yield every version of the records with these numbers, all revisions of each."""
        return self._versions(_OF_NUMBER, n=list(numbers))

    def definitions(self) -> list[tuple[str, str, str]]:
        """Return (type, hash, since when) of every definition on the log, in their order."""
        with self._pool.connection() as conn:
            rows = conn.execute(_DEFINED.encode()).fetchall()
        found = []
        for data, *body in rows:
            parsed = leaf.parse(bytes(data))
            sections = sections_of(parsed, dict(zip(_BODY, body, strict=True)))
            if parsed.act == "define" and "definition" in sections:
                form = sections["definition"][1]
                found.append((_name(form), _hash(form), parsed.at))
        return found

    def _versions(self, sql: str, **values: Any) -> Iterator[Version]:
        with self._pool.connection() as conn:
            rows = [Row(*raw) for raw in conn.execute(sql.encode(), values).fetchall()]
        stream, kept = "", dict[str, bytes]()
        for row in rows:
            value = orjson.loads(row.leaf)
            kept = kept if value["record"]["id"] == stream else {}
            stream = value["record"]["id"]
            kept = _sections(row, value, kept)
            if "def" in value:
                yield _version(row, value, kept)


def _sections(row: Row, value: dict[str, Any], before: dict[str, bytes]) -> dict[str, bytes]:
    """Return the sections of a version: its own, and those it took over from the versions before."""
    found = cut(row, value["bodies"])
    if found.problem:
        raise EvidenceBroken(
            "EVIDENCE", what=f"the body of entry {value['entry']}", expected="what its leaf names",
            found=found.problem,
        )  # fmt: skip
    fresh = {name: content for name, (_, content) in found.sections.items()}
    taken = {ref["s"] for ref in value["bodies"] if "from" in ref} & before.keys()
    return {name: before[name] for name in taken} | fresh


def _version(row: Row, value: dict[str, Any], sections: dict[str, bytes]) -> Version:
    if "content" not in sections:
        raise EvidenceBroken(
            "EVIDENCE", what=f"the content of entry {value['entry']}", expected="a body", found="none"
        )
    return Version(
        row.kind, str(row.stream), row.version, row.entry_id, value["at"], value["act"],
        value["actor"]["id"], value["def"], row.leaf_hash.hex(), merged(sections),
    )  # fmt: skip


def _name(form: bytes) -> str:
    return str(orjson.loads(form)["type"]["name"])


def _hash(form: bytes) -> str:
    return hashlib.sha256(form).hexdigest()
