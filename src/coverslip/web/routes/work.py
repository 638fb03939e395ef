"""My work: what waits for whoever asks, what others did, and how the installation stands.

Rules kept here: what can be done at once, an alert acknowledged, is done from here with the form of the act
itself, on the version that was shown. Counts of the menu are kept until the ledger has grown.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from coverslip.ledger.identity import uuid7
from coverslip.web.routes.review import CASE, QUEUES
from coverslip.web.templating import page
from coverslip.web.visit import Visit, VisitOf, WritingVisit

router = APIRouter()
ALERT = "alert"
_PAGE = 25
_NEWS = 100
_SHOWN_NEWS = 8
_COUNTED = 2000


class Counts:
    """What the menu counts, by person and number of entries; bounded."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, int, str], dict[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, visit: Visit) -> dict[str, str]:
        """Return how much waits for a person, and how many cases wait for a review; ``25+``: more."""
        services = visit.services
        status = services.reading.status()
        # What waits for its place in the tree counts: it stands in the lists already.
        entries = int(status["size"]) + int(status["pending"])
        key = (visit.session.person, entries, services.accounts.now()[:10])
        with self._lock:
            if key in self._found:
                return self._found[key]
        mine = services.working.mine(visit.context, "", _PAGE)
        cases = sum(len(services.reading.page(CASE, one, "", "", _PAGE)[0]) for one in QUEUES)
        found = {
            "work": f"{len(mine['items'])}{'+' if mine['next'] else ''}",
            "review": f"{cases}{'+' if cases >= _PAGE else ''}",
        }
        with self._lock:
            self._found[key] = found
            while len(self._found) > _COUNTED:
                self._found.popitem(last=False)
        return found


@router.get("/work")
def work(
    request: Request,
    visit: VisitOf,
    cursor: Annotated[str, Query(max_length=200, pattern=r"^([0-9-]{10}/.*)?$")] = "",
    just: Annotated[str, Query(pattern=r"^([A-Z]{2,8}-[0-9A-Z-]{1,40})?$")] = "",
) -> Response:
    """Show what waits for this person, most urgent first."""
    if visit.reader:
        return RedirectResponse("/inspections", 303)
    found = visit.services.working.mine(visit.context, cursor, _PAGE)
    told = [one for one in found["items"] if one["type"] == ALERT and _can(one, "acknowledge")]
    alerts = [one | {"key": str(uuid7())} for one in told]
    signing = [one for one in found["items"] if one not in told and any(a["signed"] for a in one["acts"])]
    other = [one for one in found["items"] if one not in told and one not in signing]
    news = visit.services.working.events(visit.session.person, None, _NEWS)
    return page(
        request,
        visit,
        "work.html",
        nav="work",
        signing=signing,
        several=_several(visit, signing),
        other=other,
        alerts=alerts,
        just=just,
        following=found["next"],
        news=list(reversed(news["events"]))[:_SHOWN_NEWS],
        earlier=max(0, len(news["events"]) - _SHOWN_NEWS),
        more_news=news["more"],
        seen_to=news["next"],
        notices=visit.services.reading.concerning(visit.session.person, visit.services.catalogue.grants)[:10],
        before=visit.services.accounts.sign_in_before(visit.session),
        failed=_failed_since(visit),
        catalogue=visit.services.catalogue,
        ledger=visit.services.reading.status(),
        anchors=visit.services.anchors(),
        standing=visit.services.assurance.standing(),
        today=visit.services.accounts.now()[:10],
    )


def _can(item: dict[str, Any], act: str) -> bool:
    return any(one["act"] == act and one["allowed"] for one in item["acts"])


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


@router.get("/me/counts")
def counts(request: Request, visit: VisitOf) -> dict[str, Any]:
    """Answer the counts of the menu; an inspector's menu has none."""
    request.state.entered = True
    found: Counts = request.app.state.counts
    return {} if visit.reader else found.of(visit)


@router.post("/me/seen")
def seen(visit: WritingVisit, index: Annotated[int, Form(ge=0, lt=2**53)]) -> Response:
    """Keep how far this person has looked at what others did."""
    most = int(visit.services.reading.status()["size"]) - 1
    visit.services.working.seen(visit.session.person, max(0, min(index, most)))
    return RedirectResponse("/work", 303)
