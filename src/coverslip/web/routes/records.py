"""One record: what it says, its trail, signatures and versions.

Rules kept here:

* One page for every type, made from its declaration. What an act asks for, and why it is not open, comes from
  the door.
* Sending the rendering a signature names is an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from coverslip.application import viewing
from coverslip.application.finding import type_named
from coverslip.kernel import history
from coverslip.kernel.rows import Row
from coverslip.web import fields, special
from coverslip.web.framing import frame, row_at
from coverslip.web.templating import page, ref
from coverslip.web.visit import Visit, VisitOf

router = APIRouter()
Reference = Annotated[str, Path(max_length=80)]
Name = Annotated[str, Path(max_length=80)]
TRAIL_PAGE = 100
LINKED = 200
"""Records of a page of those that stand on one; where there are no more, all of them are on one."""
EACH = 10
"""Records shown of each type where there are more than that, with a way to all of the type."""
COUNTED = 1000
"""Records of a type that are counted; of more it is said that there are more."""
BUILT_ON = 1000
"""Records looked at for how long one is kept, without being asked for more."""
BESIDE = 30
"""Comments and attachments shown beside those a record is linked to."""


@router.get("/r/{reference}")
def show(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show a record; a type with a page of its own has it there."""
    row = row_at(request, visit, reference)
    own = special.PAGES.get(row.type)
    if own:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(own.format(ref(row)) + query, 303)
    return overview(request, visit, row)


@router.get("/r/{reference}/record")
def generic(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show a record by its declaration alone."""
    return overview(request, visit, row_at(request, visit, reference), "Record")


def overview(request: Request, visit: Visit, row: Row, tab: str = "Overview") -> Response:
    """Render the page every record has."""
    return page(request, visit, "record.html", **overview_values(visit, row, tab))


def overview_values(visit: Visit, row: Row, tab: str) -> dict[str, Any]:
    """Return what ``record.html`` and the templates that extend it show."""
    shared = frame(visit, row, tab)
    facts, texts, tables = fields.facts_and_texts(fields.shown(shared["definition"], row))
    entries = shared["history"]
    return shared | {
        "facts": facts,
        "texts": texts,
        "tables": tables,
        "titles": fields.titles(visit.services, row.fields),
        "latest": list(reversed(history.trail(entries)))[:5],
        "count": len(entries),
        "around": visit.services.working.around_briefly(row),
        "counted": COUNTED,
    }


@router.get("/r/{reference}/retention")
def retention(request: Request, visit: VisitOf, reference: Reference, whole: bool = False) -> Response:
    """Show how long a record is kept: worked out when it is asked, from all that is built on it.

    Where that is very much, it is worked out only for who asks for the ``whole``.
    """
    row = row_at(request, visit, reference)
    kept = visit.services.retaining
    return page(
        request,
        visit,
        "record_retention.html",
        fragment="results",
        where=f"/r/{ref(row)}",
        row=row,
        nav=row.type,
        retention=kept.one(row) if whole else kept.soon(row, BUILT_ON),
        most=BUILT_ON,
    )


@router.get("/r/{reference}/audit")
def audit(
    request: Request,
    visit: VisitOf,
    reference: Reference,
    show: Annotated[str, Query(max_length=20)] = "all",
    start: Annotated[int, Query(ge=0, le=10**7)] = 0,
) -> Response:
    """Show the whole trail of a record, newest first, old values beside new."""
    row = row_at(request, visit, reference)
    shared = frame(visit, row, "Audit trail")
    trail = list(reversed(history.trail(shared["history"])))
    kinds: dict[str, Callable[[dict[str, Any]], bool]] = {
        "all": lambda e: True,
        "changes": lambda e: bool(e["changes"]),
        "signatures": lambda e: bool(e["meaning"]),
        "refusals": lambda e: e["type"] == "refusal",
        "views": lambda e: e["type"] in ("view", "export"),
    }
    chosen = show if show in kinds else "all"
    found = [e for e in trail if kinds[chosen](e)]
    return page(
        request,
        visit,
        "record_audit.html",
        fragment="results",
        **shared,
        entries=found[start : start + TRAIL_PAGE],
        counts={name: sum(map(keep, trail)) for name, keep in kinds.items()},
        shown=chosen,
        start=start,
        matching=len(found),
        step=TRAIL_PAGE,
    )


@router.get("/r/{reference}/signatures")
def signatures(
    request: Request,
    visit: VisitOf,
    reference: Reference,
    shown: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """Show every signature on a record with printed name, time and meaning (11.50).

    ``shown`` names the entry version of one signature: then also what its signer was shown.
    """
    row = row_at(request, visit, reference)
    shared = frame(visit, row, "Signatures")
    awaited = [one for one in shared["acts"] if one.signature]
    named = visit.services.past.signed(row, shown) | {"version": shown} if shown else None
    return page(request, visit, "record_signatures.html", **shared, awaited=awaited, named=named)


@router.get("/r/{reference}/related")
def related(
    request: Request,
    visit: VisitOf,
    reference: Reference,
    kind: Annotated[str, Query(alias="type", max_length=80)] = "",
    before: Annotated[str, Query(max_length=36, pattern=r"^([0-9a-f-]{36})?$")] = "",
) -> Response:
    """Show what a record stands on, what stands on it, and what lies beside it.

    Of what stands on it, all where it is little, else the newest of each type; or a page of one type.
    """
    row = row_at(request, visit, reference)
    reading = visit.services.reading
    given = [link["number"] for link in fields.links(row.fields)]
    targets = [t for t in (reading.find(n) for n in dict.fromkeys(given)) if t is not None]
    counts = reading.linked_counts(row.uid, COUNTED + 1)
    linked = _linked(visit, row, counts, type_named(visit.services, kind).name if kind else "", before)
    return page(
        request,
        visit,
        "record_related.html",
        **frame(visit, row, "Related"),
        targets=targets,
        linked=linked[:LINKED],
        counts=counts,
        counted=COUNTED,
        kind=kind,
        before=before,
        following=linked[LINKED - 1].uid if kind and len(linked) > LINKED else "",
        around=visit.services.working.around(row, BESIDE),
        catalogue=visit.services.catalogue,
    )


def _linked(visit: Visit, row: Row, counts: dict[str, int], kind: str, before: str) -> list[Row]:
    """Return what stands on a record, newest first: of a type one more than a page, or of all types."""
    reading = visit.services.reading
    if kind:
        return reading.linked_newest(row.uid, kind, LINKED + 1, before)
    each = LINKED if sum(counts.values()) <= LINKED else EACH
    return [one for _, one in reading.linked_some([row.uid], each)]


@router.get("/r/{reference}/versions")
def versions(
    request: Request,
    visit: VisitOf,
    reference: Reference,
    first: Annotated[int, Query(alias="from", ge=0, le=10**7)] = 0,
    second: Annotated[int, Query(alias="to", ge=0, le=10**7)] = 0,
) -> Response:
    """Show the versions of a record; two of them side by side."""
    row = row_at(request, visit, reference)
    shared = frame(visit, row, "Versions")
    entries = shared["history"]
    found = history.contents(entries)
    later = second if second in found else row.version
    earlier = first if first in found else max((v for v in found if v < later), default=later)
    labels = {name: f.label for name, f in visit.services.catalogue[row.type].type.fields.items()}
    changes = [c.value() for c in history.changes(found[earlier], found[later])] if found else []
    for one in changes:
        one["label"] = labels.get(str(one["field"]).split(".")[0].split("[")[0], "")
    return page(
        request,
        visit,
        "record_versions.html",
        **shared,
        trail=[e for e in reversed(history.trail(entries)) if e["version"]],
        revisions=revisions(visit, row),
        changes=changes,
        earlier=earlier,
        later=later,
    )


def revisions(visit: Visit, row: Row) -> list[Row]:
    """Return the revisions of a number, newest first."""
    if not row.revision:
        return []
    found, number = [], 1
    while (one := visit.services.reading.find(row.number, number)) is not None:
        found.append(one)
        number += 1
    return list(reversed(found))


@router.get("/r/{reference}/print")
def as_printed(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show the rendering a signature names; that it was sent is an entry."""
    row = row_at(request, visit, reference)
    view = viewing.open_view(visit.services, row, visit.context)
    beside = fields.beside(visit.services, row)
    return page(
        request, visit, "record_print.html", **frame(visit, row, "As it prints"), view=view, beside=beside
    )
