"""The frame of a record's pages: where it stands, what comes next and by whom, its tabs, its signatures.

Rules kept here: what comes next is what the declaration waits for; why it is not this person's to do is said
in the door's words. Every page of a record carries its signatures, for print (P11-50-b).
"""

from __future__ import annotations

from typing import Any

from fastapi import Request

from coverslip.application.assurance import Seal
from coverslip.application.finding import find
from coverslip.application.open_acts import OpenAct, open_acts
from coverslip.kernel import history
from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row
from coverslip.web import awaiting, special
from coverslip.web.templating import ref
from coverslip.web.visit import Visit
from coverslip.work import elsewhere, waiting

ENTERED = 20
"""Latest entries of a record among which the one just made is looked for."""


def row_at(request: Request, visit: Visit, reference: str) -> Row:
    """Return the record an address names, and remember it as the subject of a refusal."""
    row = find(visit.services, reference)
    request.state.subject = row
    return row


def frame(visit: Visit, row: Row, tab: str) -> dict[str, Any]:
    """Return what the head of a record's page shows: state, acts, tabs. ``tab`` is the current one."""
    definition = visit.services.catalogue.under(row.type, row.definition)
    sealed = visit.services.assurance.seal(row)
    acts = open_acts(visit.services, row, visit.context, sealed)
    current = visit.services.catalogue[row.type]
    following, primary = next_step(current, row, acts)
    if following["act"] is None:
        following |= awaiting.elsewhere_of(visit, row)
    reference = ref(row)
    entries = visit.services.reading.history(row.uid)
    own = special.PAGES.get(row.type)
    tabs = [
        ("Overview", own.format(reference) if own else f"/r/{reference}", ""),
        *([("Record", f"/r/{reference}/record", "")] if own else []),
        ("Related", f"/r/{reference}/related", ""),
        ("Lineage", f"/r/{reference}/lineage", ""),
        ("Signatures", f"/r/{reference}/signatures", ""),
        ("Versions", f"/r/{reference}/versions", ""),
        ("Audit trail", f"/r/{reference}/audit", ""),
        ("As it prints", f"/r/{reference}/print", ""),
    ]
    return {
        "row": row,
        "definition": definition,
        "acts": acts,
        "primary": primary,
        "next_step": following,
        "new_version": f"/types/{row.type}/new?number={row.number}"
        if definition.type.revisions and definition.state(row.state).effective and not visit.reader
        else "",
        "tabs": tabs,
        "tab": tab,
        "seal": _seal(sealed),
        "sandbox": bool(row.content.get("sandbox")),
        "nav": row.type,
        "where": f"/r/{reference}",
        "signatures": history.manifests(entries),
        "acts_said": {one.name: f"Done: {one.label.lower()}" for one in definition.type.transitions},
        "entered": {one["entry"]: one for one in entries[-ENTERED:]},
        "history": entries,
    }


_SEALS = {
    "verified": ("", "shield-check", "Integrity verified"),
    "waits": ("wait", "shield-half", "Waits for a checkpoint"),
    "altered": ("bad", "shield-x", "Alteration found"),
}


def _seal(found: Seal | None) -> dict[str, str] | None:
    """Return what may be said of a record's integrity, found while this page was made."""
    if found is None:
        return None
    cls, icon, text = _SEALS[found.state]
    return {"cls": cls, "icon": icon, "text": text, "at": found.at, "why": found.why}


def waited_for(definition: Definition, state: str) -> list[str]:
    """Return the acts somebody is waited for to do in a state, the likeliest first.

    Those that lead on come before those that lead back, and these before a signature given on the spot.
    """
    if not waiting.waits(definition.state(state)):
        return []
    order = [one.name for one in definition.type.states]
    acts = list(waiting.acts(definition, state))
    moving = [one for one in acts if one.to not in ("", state)]
    leading_on = [one for one in moving if order.index(one.to) > order.index(state)]
    signed = [one for one in acts if one.to in ("", state) and one.signature is not None]
    return [one.name for one in (*leading_on, *(m for m in moving if m not in leading_on), *signed)]


def next_step(definition: Definition, row: Row, acts: list[OpenAct]) -> tuple[dict[str, Any], OpenAct | None]:
    """Return what comes next, and the one act a person most likely came for.

    That is an act that leads on; what such an act asks for on the spot, a vote for example; else why what
    leads on is not this person's. To turn a record back comes first only where nothing leads on.
    """
    state = row.state
    early = [t.name for t in waiting.acts(definition, state) if waiting.premature(t, row)]
    by_name = {one.name: one for one in acts if one.name not in early}
    on = [by_name[t.name] for t in waiting.leading(definition, state) if t.name in by_name]
    asked = [by_name[t.name] for t in waiting.asked_first(definition, state) if t.name in by_name]
    others = [by_name[n] for n in waited_for(definition, state) if n in by_name]
    by_itself = elsewhere.by_itself(definition, state) is not None
    mine = next((one for one in (*on, *asked, *(() if on or by_itself else others)) if one.allowed), None)
    waited = waited_for(definition, state)
    if not waited or (mine is None and by_itself):
        return {"blocked": False, "act": None, "why": ""}, None
    if mine is not None:
        return {"blocked": False, "act": mine, "why": ""}, mine
    usual = {t.name for t in waiting.onward(definition, state)}
    ways = ([one for one in on if one.name in usual], on, others, [one for one in acts if one.name in waited])
    refused = next((way for way in ways if any(one.refusal is not None for one in way)), [])
    in_my_way = (one for one in refused if one.refusal and one.refusal.code not in waiting.ELSEWHERE)
    first = next(in_my_way, next((one for one in refused if one.refusal is not None), None))
    if first is None:
        return {"blocked": False, "act": None, "why": ""}, None
    return {"blocked": True, "act": first, "why": awaiting.why_not(first, definition, state)}, None
