"""Review and release: the queue, and one screen for a case.

Rules kept here:

* Only what is sent item by item is entered as opened: exceptions, records and pages of the trail have
  addresses of their own. The record under review is sent with the page, as it prints, and entered as such.
* Answering, returning and signing are acts of the case like any other; nothing is decided here.
* The page says when something arrived meanwhile; whether a signing is stale is the door's to say.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse

from coverslip.application import acting, viewing
from coverslip.application.acting import Wish
from coverslip.application.finding import find
from coverslip.application.open_acts import OpenAct
from coverslip.errors import NotFound
from coverslip.kernel.rows import Row
from coverslip.web import fields, unshown
from coverslip.web.awaiting import why_not
from coverslip.web.framing import frame
from coverslip.web.streams import Streams
from coverslip.web.templating import page, ref, role
from coverslip.web.visit import FormOf, Visit, VisitOf, WatchingVisit, WritingVisit
from coverslip.work import waiting

router = APIRouter()
CASE = "review_case"
Number = Annotated[str, Path(max_length=80)]
Key = Annotated[str, Path(max_length=80)]
Short = Annotated[str, Query(max_length=200)]
Day = Annotated[str, Query(max_length=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
QUEUES = ("queued", "in_review", "technical_done")
_CASES = 50
"""Cases shown at once, of each state where several are shown."""
QUESTIONS = (
    "Were the images of the set opened?",
    "Are the settings those of the method?",
    "Are controls and exclusions right?",
    "Do the values follow from the calculation?",
    "Was the audit trail of the run read?",
)


def _case(request: Request, visit: Visit, number: str) -> Row:
    row = find(visit.services, number)
    if row.type != CASE:
        raise NotFound("NOT_FOUND", what="review case", record=number[:60])
    request.state.subject = row
    return row


@router.get("/review")
def queue(
    request: Request,
    visit: VisitOf,
    state: Literal["", "queued", "in_review", "technical_done", "decided", "returned", "rejected"] = "",
    cursor: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """List review cases: those that wait for somebody, or those of one state."""
    reading = visit.services.reading
    if state:
        rows, following = reading.page(CASE, state, "", cursor, _CASES)
        cut = False
    else:
        pages = [reading.page(CASE, one, "", "", _CASES) for one in QUEUES]
        rows, following = [row for found, _ in pages for row in found], ""
        cut = any(more for _, more in pages)
    return page(
        request,
        visit,
        "review_queue.html",
        nav="review",
        rows=rows,
        state=state,
        states=("", *QUEUES, "decided", "returned", "rejected"),
        following=following,
        cut=_CASES if cut else 0,
        definition=visit.services.catalogue[CASE],
        waited=_waited(visit),
    )


def _waited(visit: Visit) -> dict[str, list[tuple[str, str]]]:
    """Return by state of a case what leads it on, and the roles that are waited for."""
    definition = visit.services.catalogue[CASE]
    return {
        one.name: [
            (t.label, " or ".join(role(code) for code in sorted(waiting.by_role(t, one.name))))
            for t in waiting.leading(definition, one.name)
        ]
        for one in definition.type.states
    }


@router.get("/review/{number}")
def workspace(request: Request, visit: VisitOf, number: Number) -> Response:
    """Show a case on one screen."""
    return _screen(request, visit, _case(request, visit, number))


@router.get("/review/{number}/items/{key}")
def item(request: Request, visit: VisitOf, number: Number, key: Key) -> Response:
    """Send one item with its evidence, beside the list or within the screen; it is entered as opened."""
    case = _case(request, visit, number)
    found = visit.services.reviewing.item(case, key, visit.context)
    if request.headers.get("hx-request") == "true":
        return page(request, visit, "_review_item.html", row=case, opened=found, may=_may(visit, case))
    return _screen(request, visit, case, opened=found)


def _may(visit: Visit, case: Row) -> dict[str, bool]:
    """Return which of the small acts of a review are open to this person now."""
    found = visit.services.door.explain_all(case, visit.context, ("answer", "return", "gather_again"))
    return {act: refusal is None for act, refusal in found.items()}


def _screen(
    request: Request,
    visit: Visit,
    case: Row,
    opened: dict[str, Any] | None = None,
    trail: dict[str, Any] | None = None,
    wanted: dict[str, str] | None = None,
) -> Response:
    services = visit.services
    listed = wanted or {"kind": "flagged"}
    found, printed = _printed(visit, case, listed)
    shared = frame(visit, case, "Overview")
    signing = next((one for one in shared["acts"] if one.name == found["act"]), None)
    if signing is not None:
        # The decision is what a reviewer came for; looking again and answering lead to it.
        shared["primary"] = signing if signing.allowed else None
        shared["next_step"] = _next(visit, case, found, signing)
    return page(
        request,
        visit,
        "review.html",
        **(shared | {"nav": "review"}),
        found=found,
        printed=printed,
        beside=fields.beside(services, find(services, found["subject_key"])),
        opened=opened,
        trail=trail or found["listed"],
        wanted=listed,
        may={one.name: one.allowed for one in shared["acts"]},
        questions=QUESTIONS,
        checklist={str(c["question"]): c for c in case.fields.get("checklist", ())},
        subject_definition=services.catalogue[found["subject"]["type"]],
        catalogue=services.catalogue,
    )


def _printed(visit: Visit, case: Row, listed: dict[str, str]) -> tuple[dict[str, Any], str]:
    """Return the case, and its subject as it prints, which is entered once for each version and person."""
    reviewing = visit.services.reviewing
    found = reviewing.show(case, visit.context, listed)
    key = found["subject_key"]
    if next(one["opened"] for one in found["items"] if one["key"] == key):
        return found, viewing.view(visit.services, find(visit.services, key)).text
    text = str(reviewing.item(case, key, visit.context)["text"])
    # Asked again, so that what this very page sends counts in all it says.
    return reviewing.show(case, visit.context, listed), text


def _next(visit: Visit, case: Row, found: dict[str, Any], signing: OpenAct) -> dict[str, Any]:
    """Return what the reviewer does next: answer, open, then sign, or why it is not for them."""
    if signing.refusal is not None and signing.refusal.code.startswith("AUTH"):
        why = why_not(signing, visit.services.catalogue[CASE], case.state)
        return {"blocked": True, "act": signing, "why": why}
    waiting = [n for n, one in enumerate(found["exceptions"], 1) if one["needed"] and not one["answer"]]
    unopened = found["coverage"]["unopened"]
    if waiting and found["act"] == "technical":
        label = f"answer exception {waiting[0]} of {len(found['exceptions'])}"
    elif unopened:
        label = f"open what you have not opened, {len(unopened)} of {found['coverage']['needed']}"
    elif signing.refusal is None:
        return {"blocked": False, "act": signing, "why": ""}
    else:
        return {"blocked": True, "act": signing, "why": signing.refusal.message}
    return {"blocked": False, "act": {"label": label, "signature": None}, "why": ""}


@router.get("/review/{number}/trail")
def trail(
    request: Request,
    visit: VisitOf,
    number: Number,
    start: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
    kind: Literal["all", "modifications", "flagged"] = "all",
    actor: Short = "",
    act: Short = "",
    record: Short = "",
    first: Day = "",
    last: Day = "",
    text: Short = "",
) -> Response:
    """Send a page of the trail; with nothing left out it is entered as sent."""
    case = _case(request, visit, number)
    wanted = {
        "kind": kind, "actor": actor, "act": act, "record": record, "first": first, "last": last,
        "text": text,
    }  # fmt: skip
    found = visit.services.reviewing.trail(case, visit.context, start, wanted)
    if request.headers.get("hx-request") == "true":
        return page(request, visit, "_review_trail.html", row=case, trail=found, wanted=wanted)
    return _screen(request, visit, case, trail=found, wanted=wanted)


@router.get("/review/{number}/images/{image}")
def thumbnail(request: Request, visit: VisitOf, number: Number, image: Key) -> Response:
    """Send a small rendering of an image of the case."""
    _case(request, visit, number)
    found = unshown.thumbnail(visit, find(visit.services, image), 160)
    return found if isinstance(found, Response) else Response(found.data, media_type=found.media)


# --- writing ---------------------------------------------------------------------------------------


@router.post("/review/{number}/items/{key}/answer")
def answer(
    request: Request,
    visit: WritingVisit,
    number: Number,
    key: Key,
    expected_version: Annotated[int, Form(ge=1)],
    answer: Annotated[str, Form(max_length=5000)],
) -> Response:
    """Answer one exception as explained; the answers to the others stay as they are."""
    request.state.action = "answer"
    case = _case(request, visit, number)
    others = [dict(row) for row in case.fields.get("answers", ()) if str(row["exception"]) != key]
    fields = {"answers": [*others, {"exception": key, "answer": answer}]}
    acting.act(visit.services, visit.context, case, "answer", Wish(fields, "", expected_version))
    return RedirectResponse(f"/review/{ref(case)}#x-{key}", 303)


@router.post("/review/{number}/checklist")
def checklist(
    request: Request,
    visit: WritingVisit,
    form: FormOf,
    number: Number,
    expected_version: Annotated[int, Form(ge=1)],
) -> Response:
    """Record the answers to the checklist and the conclusion."""
    request.state.action = "answer"
    case = _case(request, visit, number)
    asked = [str(form.get(f"q{n}", ""))[:500] for n in range(50) if f"q{n}" in form]
    rows = []
    for n, question in enumerate(asked):
        given, note = str(form.get(f"a{n}", "")), str(form.get(f"n{n}", "")).strip()
        if given:
            rows.append({"question": question, "answer": given} | ({"note": note} if note else {}))
    fields: dict[str, Any] = {"checklist": rows}
    conclusion = str(form.get("conclusion", "")).strip()
    if conclusion:
        fields["conclusion"] = conclusion
    acting.act(visit.services, visit.context, case, "answer", Wish(fields, "", expected_version))
    return RedirectResponse(f"/review/{ref(case)}#checklist", 303)


# --- what arrives meanwhile ------------------------------------------------------------------------


@router.get("/review/{number}/position")
def position(request: Request, visit: WatchingVisit, number: Number) -> Response:
    """Say where case and scope stand now; asked for where the stream does not reach."""
    case = _case(request, visit, number)
    return JSONResponse({"position": visit.services.reviewing.position(case)})


@router.get("/review/{number}/events")
async def events(
    request: Request, visit: WatchingVisit, number: Number, at: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """Stream one event when something arrived that the page of position ``at`` does not show; then it ends.

    There are only so many (``web.streams``): beyond them the page asks by itself.
    """
    case = await run_in_threadpool(_case, request, visit, number)
    streams: Streams = request.app.state.streams
    if streams.full(visit.session.id):
        return Response(status_code=204)
    services, name = visit.services, ref(case)
    waiting = streams.wait(
        visit.session.id, case.uid, at, lambda: services.reviewing.position(find(services, name))
    )
    return StreamingResponse(waiting, media_type="text/event-stream")
