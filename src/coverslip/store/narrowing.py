"""Narrowing a list of records: by tag, to what is overdue, without what was voided.

Rules kept here: the text of a condition is fixed here; everything it compares with travels as a value.
"""

from __future__ import annotations

from typing import Any

from coverslip.kernel.waiting import Narrowed


def narrowing(narrowed: Narrowed) -> str:
    """Return the conditions of a narrowed list; what they compare with comes as values."""
    found = ""
    if narrowed.hidden:
        found += " and (type || '/' || state) <> all(%(hidden)s)"
    if narrowed.scope:
        found += (
            " and exists (select 1 from projection.unique_value v where v.scope = %(scope)s and v.value ="
            " number || case when revision > 0 then ' v' || revision else '' end || ' ' || %(word)s)"
        )
    if narrowed.late is not None:
        found += (
            " and exists (select 1 from unnest(%(lt)s::text[], %(ls)s::text[], %(lf)s::text[]) as w(t, s, f)"
            " where w.t = type and w.s = state and left(content -> 'fields' ->> w.f, 10) < %(today)s)"
        )
    return found


def narrowing_values(narrowed: Narrowed) -> dict[str, Any]:
    late = narrowed.late or ()
    return {
        "hidden": [f"{kind}/{state}" for kind, state in narrowed.hidden],
        "scope": narrowed.scope,
        "word": narrowed.word,
        "lt": [w.type for w in late],
        "ls": [w.state for w in late],
        "lf": [w.due for w in late],
        "today": narrowed.today,
    }
