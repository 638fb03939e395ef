"""Integrity: what was verified, when, by whom, against which checkpoint; a verification on demand; proofs.

Rules kept here:

* A result carries its time and is never claimed to be fresher; what is later than its limit says so.
* One verification runs at a time, in the background of this process. Its progress is sent as it goes, twice a
  second at most, and ends by itself; without scripts the page is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, StreamingResponse

from coverslip.application.assurance import Progress
from coverslip.application.finding import find
from coverslip.application.leaving import Leaving
from coverslip.kernel.events import Event
from coverslip.web.routes.leaving import download
from coverslip.web.templating import environment, page
from coverslip.web.visit import Visit, VisitOf, WatchingVisit, WritingVisit

router = APIRouter()
Reference = Annotated[str, Path(max_length=80)]
TURN_S = 0.5
MOST_TURNS = 1200
"""Ten minutes of one stream; a longer verification goes on, and the page asks again."""


@router.get("/integrity")
def integrity(request: Request, visit: VisitOf) -> Response:
    """Show how the installation stands: verification, checkpoint, anchors, clock, backups, drills, gaps."""
    services = visit.services
    standing = services.assurance.standing()
    return page(
        request,
        visit,
        "integrity.html",
        nav="integrity",
        standing=standing,
        verdict=verdict(standing.get("verification", {})),
        progress=services.assurance.progress(),
        ledger=services.reading.status(),
        anchors=services.anchors(),
        certificates=services.reading.certificates("backup")[:10],
        refused=services.quarantine(),
    )


def verdict(last: dict[str, Any]) -> dict[str, str]:
    """Return look and sentence of the banner, from the last verification that was entered."""
    if "detail" not in last:
        return {"look": "warn", "icon": "alert-triangle", "title": "Not verified yet"}
    if not last["detail"].get("holds"):
        return {"look": "bad", "icon": "shield-x", "title": "Alteration found"}
    if last["late"]:
        return {"look": "warn", "icon": "clock", "title": "No alteration found, and the check is late"}
    return {"look": "ok", "icon": "shield-check", "title": "No alteration found"}


@router.post("/integrity/verify")
def verify(request: Request, visit: WritingVisit) -> Response:
    """Verify everything now, in the background; one that runs already is joined."""
    request.state.action = "verify"
    visit.services.door.require_writer(visit.context, "verify")
    visit.services.assurance.start(visit.context)
    return RedirectResponse("/integrity#verifying", 303)


@router.get("/integrity/progress")
def progress(request: Request, visit: WatchingVisit) -> Response:
    """Show how far a verification is, for who asks every ten seconds."""
    if request.headers.get("hx-request") != "true":
        return RedirectResponse("/integrity", 303)
    return Response(_fragment(visit.services.assurance.progress(), visit), media_type="text/html")


@router.get("/integrity/events")
def events(visit: WatchingVisit) -> StreamingResponse:
    """Send how far a verification is, until it has ended."""
    return StreamingResponse(_turns(visit), media_type="text/event-stream")


async def _turns(visit: Visit) -> AsyncIterator[str]:
    """Yield each turn; between them a stream holds no thread."""
    said = ""
    for _ in range(MOST_TURNS):
        found = visit.services.assurance.progress()
        text = await run_in_threadpool(_fragment, found, visit)
        if text != said:
            yield "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
            said = text
        if not found.running:
            yield "event: ended\ndata: ended\n\n"
            return
        await asyncio.sleep(TURN_S)


def _fragment(found: Progress, visit: Visit) -> str:
    given = {"progress": found, "zone": visit.zone}
    return environment().get_template("_verifying.html").render(given).strip()


@router.get("/integrity/gaps")
def gaps(request: Request, visit: VisitOf) -> Response:
    """Show numbers no record has, entry ids never used and missing leaves, with what is known of each."""
    return page(request, visit, "integrity_gaps.html", nav="integrity", found=visit.services.gaps())


@router.get("/integrity/record/{reference}")
def record(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show the proof of one record: each of its entries, and the checkpoint they are in."""
    row = find(visit.services, reference)
    request.state.subject = row
    proved = visit.services.assurance.record(row)
    definition = visit.services.catalogue.under(row.type, row.definition)
    return page(
        request, visit, "integrity_record.html", nav="integrity", row=row, definition=definition, **proved
    )


@router.get("/integrity/record/{reference}/proof")
def proof(request: Request, visit: VisitOf, reference: Reference) -> StreamingResponse:
    """Return the proofs of a record as text that other programs check; that they left is an entry."""
    row = find(visit.services, reference)
    request.state.subject = row
    text = visit.services.assurance.proof(row).encode()
    detail = {"what": "proof", "record": row.number, "version": row.version}
    visit.services.events.record(Event("export", "export_proof", detail, row), visit.context)
    return download(Leaving(len(text), iter([text]), f"{row.number}.tlog-proof"), "text/plain; charset=utf-8")
