"""Trying out: a sandbox study of one's own, in one step."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from coverslip.application import sandboxes
from coverslip.web.templating import page
from coverslip.web.visit import VisitOf, WritingVisit

router = APIRouter()


@router.get("/sandbox")
def ask(request: Request, visit: VisitOf) -> Response:
    """Say what a sandbox study is, and ask for its title."""
    return page(request, visit, "sandbox.html", nav="work", sandbox=True, key=str(uuid4()))


@router.post("/sandbox")
def start(
    visit: WritingVisit,
    title: Annotated[str, Form(min_length=1, max_length=300)],
    key: Annotated[str, Form(pattern="^[0-9a-f-]{36}$")],
) -> Response:
    """Make it and show it; the same form sent twice makes one."""
    made = sandboxes.start(visit.services, visit.context, title.strip(), key)
    return RedirectResponse(f"/r/{made.study}", 303)
