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
from coverslip.ledger import canonical, leaf
from coverslip.store.pool import Pool
from coverslip.store.sections import sections_of

_SELECT: Final = """
select e.id, e.leaf, e.leaf_hash, b.fixed_salts, b.fixed, b.erasable_salts, b.erasable
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
            rows = conn.execute(sql.encode(), values).fetchall()
        stream, kept = "", dict[str, bytes]()
        for position, data, leaf_hash, *body in rows:
            parsed = leaf.parse(bytes(data))
            kept = kept if parsed.record.id == stream else {}
            stream = parsed.record.id
            fresh = sections_of(parsed, dict(zip(_BODY, body, strict=True)))
            for ref in parsed.bodies:
                if ref.section in fresh:
                    kept[ref.section] = fresh[ref.section][1]
                elif ref.from_version is None:
                    kept.pop(ref.section, None)
            kept = {name: kept[name] for name in kept if name in {ref.section for ref in parsed.bodies}}
            if parsed.definition is None or not parsed.is_record_version:
                continue
            if "content" not in kept:
                raise EvidenceBroken(
                    "EVIDENCE", what=f"the content of entry {parsed.entry}", expected="a body", found="none"
                )
            content = orjson.loads(kept["content"])
            personal = orjson.loads(kept["personal"]) if kept.get("personal") else {}
            yield Version(
                parsed.record.kind, stream, parsed.record.ver, int(position), parsed.at, parsed.act,
                parsed.actor.id, parsed.definition, bytes(leaf_hash).hex(),
                {**content, "fields": {**content["fields"], **personal}},
            )  # fmt: skip


def _name(form: bytes) -> str:
    return str(canonical.decode(form)["type"]["name"])


def _hash(form: bytes) -> str:
    return hashlib.sha256(form).hexdigest()
