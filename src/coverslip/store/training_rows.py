"""Records with some of their fields: what is read of thousands at once, as the picture of training is.

Rules kept here: reads only; one statement for a type; a row has the fields asked for and no others, and is
never acted on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

from coverslip.kernel.rows import Row

_SOME_FIELDS = (
    "select r.uid::text as uid, r.number, r.revision, r.version, r.state, r.title, r.changed_at, (select"
    " coalesce(jsonb_object_agg(k, r.content -> 'fields' -> k), '{}') from unnest(%(f)s::text[]) k"
    " where r.content -> 'fields' ? k) as fields from projection.record r where r.type = %(k)s"
    " and (%(s)s::text[] = '{}' or r.state = any(%(s)s))"
)
_NAMING = (
    " and r.uid in (select l.from_uid from projection.link l where l.to_uid = any(%(u)s::uuid[])"
    " and l.from_type = %(k)s and l.field = %(n)s)"
)
_ORDER = " order by r.changed_at desc, r.uid desc"


class BriefReading(ABC):
    """Reads of many records; what it is mixed into knows how to ask."""

    @abstractmethod
    def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a query."""

    def brief(
        self,
        kind: str,
        states: Sequence[str],
        fields: Sequence[str],
        naming: tuple[str, Collection[str]] | None = None,
    ) -> list[Row]:
        """Return every record of a type in one of the states (none named: any), with these fields only.

        ``naming``: (link field, uids): of those alone that name one of these there. By state as named, the
        newest change first.
        """
        name, uids = naming or ("", ())
        values = {"k": kind, "s": list(states), "f": list(fields), "n": name, "u": list(uids)}
        rows = self._all(_SOME_FIELDS + (_NAMING if naming is not None else "") + _ORDER, values)
        found = [_row(kind, row) for row in rows]
        return sorted(found, key=lambda one: states.index(one.state)) if states else found


def _row(kind: str, row: dict[str, Any]) -> Row:
    return Row(
        kind, row["uid"], row["number"], row["revision"], row["version"], 0, row["state"], row["title"], "",
        "", "", {"fields": row["fields"]},
    )  # fmt: skip
