"""The past: a record as it was on a day, and who could do what then. Reading only."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from coverslip.api.access import ContextOf, ServicesOf, reference, row_for
from coverslip.application.services import Services
from coverslip.errors import Invalid

router = APIRouter(tags=["past"])
At = Annotated[str, Query(max_length=40, description="A day, or an instant with its zone.")]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@router.get("/records/{number}/as-of")
def as_of(number: str, request: Request, services: ServicesOf, context: ContextOf, at: At) -> dict[str, Any]:
    """Return a record as it was: version, definition, signatures, holds, and its people then."""
    row_for(request, services, number)
    return services.past.record(*reference(number), moment(services, at))


@router.get("/authority")
def authority(
    services: ServicesOf,
    context: ContextOf,
    at: At,
    person: Annotated[str, Query(max_length=80)] = "",
) -> dict[str, Any]:
    """Return who could do what: accounts, roles, trainings, and the acts each role opened then."""
    return services.past.matrix(moment(services, at), person)


def moment(services: Services, text: str) -> str:
    """Return the instant a text names, UTC; a day is its last moment, and never later than now.

    Raises ``VAL_FORM`` for what names no moment, and for the future.
    """
    now = dt.datetime.fromisoformat(services.accounts.now())
    try:
        if _DAY.fullmatch(text):
            day = dt.datetime.combine(dt.date.fromisoformat(text), dt.time.max, dt.UTC)
            found = min(day, now) if day.date() <= now.date() else day
        else:
            found = dt.datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise _misread(text) from None
    if found.tzinfo is None or found > now:
        raise _misread(text)
    return found.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _misread(text: str) -> Invalid:
    expected = "a day (2026-11-20) or an instant with its zone (2026-11-20T12:00:00Z), not in the future"
    return Invalid("VAL_FORM", field="at", expected=expected, found=text[:40])
