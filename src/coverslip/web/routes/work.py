"""My work: what waits for whoever asks, what others did, and how the installation stands."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from coverslip.web.templating import page
from coverslip.web.visit import VisitOf, WritingVisit

router = APIRouter()
_PAGE = 25


@router.get("/work")
def work(
    request: Request,
    visit: VisitOf,
    cursor: Annotated[str, Query(max_length=200, pattern=r"^([0-9-]{10}/.*)?$")] = "",
) -> Response:
    """Show what waits for this person, most urgent first."""
    if visit.reader:
        return RedirectResponse("/inspections", 303)
    found = visit.services.working.mine(visit.context, cursor, _PAGE)
    signing = [one for one in found["items"] if any(act["signed"] for act in one["acts"])]
    other = [one for one in found["items"] if one not in signing]
    return page(
        request,
        visit,
        "work.html",
        nav="work",
        signing=signing,
        several=_several(visit, signing),
        other=other,
        following=found["next"],
        happened=visit.services.working.events(visit.session.person, None, 10),
        notices=visit.services.reading.concerning(visit.session.person, visit.services.catalogue.grants)[:10],
        before=visit.services.accounts.sign_in_before(visit.session),
        failed=_failed_since(visit),
        catalogue=visit.services.catalogue,
        ledger=visit.services.reading.status(),
        anchors=visit.services.anchors(),
        standing=visit.services.assurance.standing(),
        today=visit.services.accounts.now()[:10],
    )


def _several(visit: VisitOf, signing: list[dict[str, Any]]) -> list[tuple[str, str, str, int]]:
    """Return what can be signed as a series: type, act, its label, how many of these records wait for it."""
    found: dict[tuple[str, str, str], int] = {}
    for one in signing:
        declared = visit.services.catalogue[one["type"]].acts
        for act in one["acts"]:
            if act["signed"] and act["allowed"] and not declared[act["act"]].fields:
                key = (one["type"], act["act"], act["label"])
                found[key] = found.get(key, 0) + 1
    return [(*key, count) for key, count in found.items() if count > 1]


def _failed_since(visit: VisitOf) -> str:
    """Return when somebody last failed to sign in as this person, if that was after the sign-in before."""
    accounts = visit.services.accounts
    failed = accounts.last_sign_ins(visit.session.person).get("failed", "")
    return failed if failed > accounts.sign_in_before(visit.session).get("at", "") else ""


@router.post("/me/seen")
def seen(visit: WritingVisit, index: Annotated[int, Form(ge=0, lt=2**53)]) -> Response:
    """Keep how far this person has looked at what others did."""
    most = int(visit.services.reading.status()["size"]) - 1
    visit.services.working.seen(visit.session.person, max(0, min(index, most)))
    return RedirectResponse("/work", 303)
