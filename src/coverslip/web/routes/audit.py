"""The audit trail of the whole installation: who, what, when, record, field, action, reason, old beside new.

Rules kept here:

* The filter is in the address, and in words above the list; a copy carries it in its head and is an entry.
* Nothing is left out by default: sessions, views and refusals are there like everything else. Where only a
  stretch was searched the page says from which entry to which, and how to go on.
* One entry is shown as it was written, with the proof that it is in the tree.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from coverslip.application import tables, trailing
from coverslip.application.leaving import written
from coverslip.application.trailing import Asked
from coverslip.kernel import history
from coverslip.kernel.queries import TrailPage
from coverslip.ledger.leaf import TYPES
from coverslip.web.routes.leaving import download
from coverslip.web.templating import page
from coverslip.web.visit import Visit, VisitOf, WritingVisit

router = APIRouter()
Word = Annotated[str, Query(max_length=80)]
Text = Annotated[str, Query(max_length=200)]
Cursor = Annotated[str, Query(max_length=2000)]
_PAGE = 50
_WORDS = {
    "record": "record version",
    "view": "view (something was shown)",
    "session": "session (sign-in, sign-out)",
    "refusal": "refusal (attempt that was refused)",
    "heads": "heads (newest versions of all records)",
}
_LABELS = {
    "person": "Person", "record": "Record", "kind": "Record type", "type": "Entry", "act": "Action",
    "since": "From", "until": "To", "field": "Field", "reason": "Reason",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chip:
    """One part of the filter that is set, and the address without it."""

    label: str
    value: str
    without: str


def _asked(
    person: Word = "",
    record: Word = "",
    kind: Word = "",
    type: Word = "",
    act: Word = "",
    since: Word = "",
    until: Word = "",
    field: Word = "",
    reason: Text = "",
) -> Asked:
    given = (person, record, kind, type, act, since, until, field, reason)
    return Asked(*(part.strip() for part in given))


AskedOf = Annotated[Asked, Depends(_asked)]


def query(asked: Asked, **other: str) -> str:
    """Return the query of an address with a filter; empty parts are left out."""
    return urlencode({k: v for k, v in (asdict(asked) | other).items() if v})


def chips(asked: Asked) -> list[Chip]:
    """Return what is set of a filter, each with the query that takes it away."""
    given = {f.name: str(getattr(asked, f.name)) for f in fields(asked)}
    return [Chip(_LABELS[n], v, query(replace(asked, **{n: ""}))) for n, v in given.items() if v]


def entry_types() -> list[tuple[str, str]]:
    """Return every kind of entry with its words, by words."""
    return sorted(((name, _WORDS.get(name, name)) for name in TYPES), key=lambda one: one[1])


@router.get("/audit")
def trail(request: Request, visit: VisitOf, asked: AskedOf, cursor: Cursor = "") -> Response:
    """Show entries of the whole installation, newest first."""
    request.state.action = "read the trail"
    found = visit.services.trails.page(trailing.trail(visit.services, asked, visit.context), cursor, _PAGE)
    status = visit.services.reading.status()
    return page(
        request,
        visit,
        "audit.html",
        fragment="results",
        nav="audit",
        asked=asked,
        chips=chips(asked),
        query=query(asked),
        following=query(asked, cursor=found.next) if found.next else "",
        cursor=cursor,
        entries=[_once(one) for one in found.entries],
        total=found.total,
        looked=_stretch(found) if found.total is None else None,
        searched=found.total is None and trailing.searched(asked),
        whole=status["size"],
        pending=status["pending"],
        filter_text=trailing.described(asked),
        types=entry_types(),
        kinds=sorted((d.name, d.type.title) for d in visit.services.catalogue),
    )


def _once(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with each change told once: a title stands in the record and among its fields."""
    told = {(c["field"], c["old"], c["new"]): c for c in entry["changes"]}
    return entry | {"changes": list(told.values())}


def _stretch(found: TrailPage) -> tuple[int, int] | None:
    """Return the newest and the oldest entry looked at; None where none was."""
    return None if found.looked_from < 0 else (found.looked_from, max(found.looked_to, 0))


@router.post("/audit/csv")
def take(request: Request, visit: WritingVisit, asked: AskedOf) -> StreamingResponse:
    """Return a trail as a table to take away; its filter stands in its head, and the export is an entry."""
    request.state.action = "export trail"
    found = written(
        "audit-trail.csv", lambda out: tables.trail_csv(visit.services, asked, visit.context, out)
    )
    return download(found, "text/csv; charset=utf-8")


@router.get("/audit/{entry}")
def entry(
    request: Request, visit: VisitOf, entry: Annotated[str, Path(max_length=60, pattern="^[0-9a-f-]+$")]
) -> Response:
    """Show one entry as it was written: who, where, why, what changed, what it is bound to."""
    request.state.action = "read the trail"
    found = _once(trailing.entry(visit.services, entry, visit.context))
    return page(request, visit, "audit_entry.html", nav="audit", e=found, **_around(visit, found))


def _around(visit: Visit, found: dict[str, Any]) -> dict[str, Any]:
    """Return what stands beside an entry: its proof, its signature, its neighbours."""
    services, index = visit.services, found["index"]
    return {
        "proof": services.assurance.entry(int(index)) if index is not None else None,
        "signature": _signature(visit, found),
        "size": services.reading.status()["size"],
        "everything": trailing.may_read_everything(services, visit.context),
    }


def _signature(visit: Visit, found: dict[str, Any]) -> dict[str, Any] | None:
    """Return the manifestation of the signature that this entry carries."""
    if not found.get("meaning"):
        return None
    made = history.manifests(visit.services.reading.history(found["record"]["uid"]))
    return next((one for one in made if one["version"] == found["version"]), None)
