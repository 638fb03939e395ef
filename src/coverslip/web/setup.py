"""Set-up pages: all that is served before there is an installation.

Rules kept here:

* Nothing is shown or taken but the question for the code, before the code was given (``setting_up.gate``).
* Every write carries the token of the browser let in and comes from these pages.
* No secret is ever part of an answer; what else was typed stands in the form again.
* Once it has founded nothing more is taken; who asks is sent to the sign-in of what it founded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.background import BackgroundTask
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from coverslip.application.setting_up import answers as given
from coverslip.application.setting_up.answers import Errors, Letter, Person
from coverslip.application.setting_up.gate import Gate
from coverslip.application.setting_up.state import SECRETS_S, SetUp
from coverslip.application.vouching import vouch
from coverslip.errors import CoverslipError, Invalid, NotFound
from coverslip.kernel.clock import utc_now
from coverslip.records.founding import MEANINGS, POLICY, ROLES, STATEMENT, to_sign
from coverslip.web import refusals, security
from coverslip.web.assets import STATIC
from coverslip.web.serving import Serving
from coverslip.web.templating import bare_page, environment

TITLES = {
    "site": "Site and use",
    "keeping": "Clock, backup and anchor",
    "people": "Founders",
    "keys": "Passwords",
    "policy": "Policy and signatures",
    "letter": "Letter to the FDA",
    "review": "Review and found",
}
SCAN_TYPES = ("application/pdf", "image/png", "image/jpeg", "image/tiff", "text/plain")
_COOKIE = "coverslip-setup"
_SHOWN_SECRETS = ("password", "again")


class _Stranger(Exception):
    """The code was not given in this browser."""


@dataclass(frozen=True)
class Ending:
    """How the server ends: ``close`` takes no more connections, ``finish`` follows the last answer."""

    close: Callable[[], None]
    finish: Callable[[], None]


class Desk:
    """The set-up as its pages see it."""

    def __init__(self, state: SetUp, gate: Gate, serving: Serving, ending: Ending) -> None:
        self.state, self.gate, self.serving, self.ending = state, gate, serving, ending

    @property
    def cookie(self) -> str:
        """Name of the cookie of the browser let in."""
        return f"__Host-{_COOKIE}" if self.serving.secure else _COOKIE

    def token(self, request: Request) -> str:
        """Return the token a browser sent. Raises ``_Stranger`` where it is not the one let in."""
        token = request.cookies.get(self.cookie, "")[:200]
        if not self.gate.knows(token):
            raise _Stranger
        vouch(request.scope, token)
        return token

    def page(
        self,
        request: Request,
        name: str,
        status: int = 200,
        *,
        step: str = "",
        errors: Errors | None = None,
        **more: Any,
    ) -> Response:
        """Render a page of the set-up."""
        state = self.state
        token = request.cookies.get(self.cookie, "")[:200]
        values: dict[str, Any] = {
            "theme": request.cookies.get("theme", ""),
            "csrf": security.csrf_token(token),
            "zone": state.site.get("tz") or "UTC",
            "now": utc_now(),
            "step": step,
            "titles": TITLES,
            "s": state,
            "errors": errors or {},
            "error": None,
            "said": "",
            "roles": {code: ROLES[code][0] for code in given.FOUNDING_ROLES},
            "predicates": given.PREDICATES,
            "minutes": int(SECRETS_S // 60),
        }
        return bare_page(name, status, **(values | more))


def desk_of(request: Request) -> Desk:
    """Return the desk of the application."""
    found: Desk = request.app.state.desk
    return found


async def posted(request: Request) -> AsyncIterator[FormData]:
    """Lend the form of a browser that was let in. Raises ``CROSS_SITE`` for another's form."""
    token = desk_of(request).token(request)
    async with request.form(max_files=1, max_fields=200) as form:
        security.require_token(request, token, str(form.get("csrf", "")))
        yield form


DeskOf = Annotated[Desk, Depends(desk_of)]
Posted = Annotated[FormData, Depends(posted)]


def create_setup(state: SetUp, gate: Gate, serving: Serving, ending: Ending) -> FastAPI:
    """Return the ASGI application of the set-up."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, title="Coverslip set-up")
    app.state.serving = serving
    app.state.desk = Desk(state, gate, serving, ending)

    @app.middleware("http")
    async def guard(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        refused = security.refused_before(request, app.state.serving)
        if refused:
            response = _refusal(request, refused)
        elif state.founded is not None and not request.url.path.startswith("/static/"):
            response = _starting(request)
        else:
            response = await proceed(request)
        if state.founded is not None:
            response.headers["Connection"] = "close"
        for name, value in security.HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _routes(app)

    @app.exception_handler(_Stranger)
    def _stranger(request: Request, error: _Stranger) -> Response:
        return app.state.desk.page(request, "setup_code.html", 200 if request.method == "GET" else 401)  # type: ignore[no-any-return]

    @app.exception_handler(CoverslipError)
    def _known(request: Request, error: CoverslipError) -> Response:
        return _refusal(request, error)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code in (404, 405):
            return _refusal(request, NotFound("NOT_FOUND", what="page", record=request.url.path[:80]))
        expected = "a valid request"
        return _refusal(
            request,
            Invalid("VAL_FORM", field="the form", expected=expected, found=str(error.detail)[:80]),
        )

    return app


def _refusal(request: Request, error: CoverslipError) -> Response:
    page = desk_of(request).page(
        request,
        "setup_refused.html",
        error.status,
        error=error,
        title=refusals.title(error),
        clause_text=refusals.clause(error),
    )
    if "seconds" in error.values:
        page.headers["Retry-After"] = str(error.values["seconds"])
    return page


def _starting(request: Request) -> Response:
    """Answer who asks in the moment between founding and serving; the page asks again by itself."""
    page = desk_of(request).page(request, "setup_starting.html", 503)
    page.headers.update({"Retry-After": "2", "Refresh": "2; url=/sign-in"})
    return page


def _routes(app: FastAPI) -> None:
    app.add_api_route("/", _first, methods=["GET"])
    app.add_api_route("/setup", _first, methods=["GET"])
    app.add_api_route("/setup/code", enter, methods=["POST"])
    app.add_api_route("/setup/letter.txt", letter_text, methods=["GET"])
    app.add_api_route("/setup/site", site, methods=["POST"])
    app.add_api_route("/setup/keeping", keeping, methods=["POST"])
    app.add_api_route("/setup/people", people, methods=["POST"])
    app.add_api_route("/setup/keys", enrol, methods=["POST"])
    app.add_api_route("/setup/policy", sign, methods=["POST"])
    app.add_api_route("/setup/letter", letter, methods=["POST"])
    app.add_api_route("/setup/review", found, methods=["POST"])
    app.add_api_route("/setup/{step}", show, methods=["GET"])


def _first(request: Request, desk: DeskOf) -> Response:
    desk.token(request)
    return _to(desk)


def _to(desk: Desk, step: str = "") -> Response:
    return RedirectResponse(f"/setup/{step or desk.state.open}", 303)


async def enter(request: Request, desk: DeskOf) -> Response:
    """Let a browser in that knows the code."""
    form = await request.form(max_files=0, max_fields=5)
    try:
        token = desk.gate.enter(
            str(form.get("code", ""))[:100], request.client.host if request.client else ""
        )
    except CoverslipError as error:
        page = desk.page(request, "setup_code.html", error.status, error=error)
        if "seconds" in error.values:
            page.headers["Retry-After"] = str(error.values["seconds"])
        return page
    answer = _to(desk)
    answer.set_cookie(
        desk.cookie, token, httponly=True, samesite="strict", secure=desk.serving.secure, path="/"
    )
    return answer


def show(request: Request, desk: DeskOf, step: str) -> Response:
    """Show a step; one that is not open yet leads to the one that is."""
    desk.token(request)
    if step not in TITLES:
        raise NotFound("NOT_FOUND", what="page", record=f"/setup/{step[:40]}")
    gone = desk.state.expire()
    if not desk.state.reachable(step):
        return _to(desk)
    minutes = int(SECRETS_S // 60)
    said = f"Nobody was here for {minutes} minutes, so passwords were forgotten; enter them again."
    return _step(request, desk, step, said=said if gone else "")


def _step(
    request: Request, desk: Desk, step: str, errors: Errors | None = None, status: int = 200, **more: Any
) -> Response:
    if step == "keeping":
        more["clock"] = desk.state.clock() if given.sources(desk.state.keeping) else None
    if step == "policy":
        more |= {"policy": POLICY, "statement": STATEMENT, "meanings": MEANINGS, "to_sign": to_sign}
    return desk.page(request, f"setup_{step}.html", status, step=step, errors=errors, **more)


def _text(form: FormData, names: tuple[str, ...], end: str = "") -> dict[str, str]:
    return {name: str(form.get(name + end) or "").strip()[:4000] for name in names}


async def _answered(request: Request, desk: Desk, step: str, answer: Callable[[], Errors]) -> Response:
    """Take an answer in a thread; show the step again where something is wrong with it."""
    desk.state.expire()
    errors = await run_in_threadpool(answer)
    if errors:
        return await run_in_threadpool(_step, request, desk, step, errors, 422)
    return _to(desk, _after(desk, step))


def _after(desk: Desk, step: str) -> str:
    steps = desk.state.steps
    following = steps[min(steps.index(step) + 1, len(steps) - 1)]
    return following if desk.state.reachable(following) else desk.state.open


async def site(request: Request, desk: DeskOf, form: Posted) -> Response:
    """Take use and site."""
    return await _answered(
        request, desk, "site", lambda: desk.state.answer_site(_text(form, given.SITE_FIELDS))
    )


async def keeping(request: Request, desk: DeskOf, form: Posted) -> Response:
    """Take time source, backup and anchor; ``measure`` asks the clock again and stays."""
    answered = await _answered(
        request, desk, "keeping", lambda: desk.state.answer_keeping(_text(form, given.KEEPING_FIELDS))
    )
    if form.get("measure") and answered.status_code == 303:
        return _to(desk, "keeping")
    return answered


async def people(request: Request, desk: DeskOf, form: Posted) -> Response:
    """Take the founders."""
    rows = tuple(
        Person(
            **_text(form, ("username", "name", "email"), f".{n}"),
            roles=tuple(str(one) for one in form.getlist(f"roles.{n}")),
        )
        for n in range(given.MOST_PEOPLE)
    )
    return await _answered(request, desk, "people", lambda: desk.state.answer_people(rows))


async def enrol(request: Request, desk: DeskOf, form: Posted) -> Response:
    """Take the password a founder chose."""
    secrets = {name: str(form.get(name) or "")[:1025] for name in _SHOWN_SECRETS}
    username = str(form.get("username") or "").strip()[:100]

    def answer() -> Errors:
        errors = desk.state.enrol(username, secrets["password"], secrets["again"])
        return {f"{username}.{name}": text for name, text in errors.items()}

    answered = await _answered(request, desk, "keys", answer)
    return answered if answered.status_code != 303 or desk.state.done("keys") else _to(desk, "keys")


async def sign(request: Request, desk: DeskOf, form: Posted) -> Response:
    """Take a founder's signature; wrong components are told beside the form."""
    name, document = (str(form.get(one) or "").strip()[:100] for one in ("username", "document"))
    secret = str(form.get("password") or "")[:1025]
    expected = str(form.get("person") or "")

    def answer() -> Errors:
        desk.state.require("policy")
        if name != expected:
            return {"refused": "This signature is another founder's to make, with their own user name."}
        return desk.state.sign(name, secret, document)

    try:
        answered = await _answered(request, desk, "policy", answer)
    except CoverslipError as error:
        if error.code != "SIG_REAUTH" or not desk.state.reachable("policy"):
            raise
        errors = {"refused": f"{error.message} {error.remedy}"}
        return await run_in_threadpool(_step, request, desk, "policy", errors, error.status)
    return answered if answered.status_code != 303 or desk.state.done("policy") else _to(desk, "policy")


async def letter(request: Request, desk: DeskOf, form: Posted) -> Response:
    """Take the letter; a scan given before stays where no other is given."""
    typed, before = _text(form, given.LETTER_FIELDS), desk.state.letter
    scan = form.get("scan")
    kept = (before.scan_name, before.media_type, before.scan)
    if isinstance(scan, UploadFile) and scan.filename:
        media = scan.content_type or ""
        if media not in SCAN_TYPES:
            raise Invalid(
                "VAL_FORM",
                field="the signed letter",
                expected="a PDF, an image or plain text",
                found=media[:60],
            )
        kept = (scan.filename.replace("/", "_")[:200], media, await scan.read())
    value = Letter(**typed, scan_name=kept[0], media_type=kept[1], scan=kept[2])
    return await _answered(request, desk, "letter", lambda: desk.state.answer_letter(value))


def letter_text(request: Request, desk: DeskOf) -> Response:
    """Return the letter filled in, to be printed and signed by hand."""
    desk.token(request)
    desk.state.require("letter")
    text = environment().get_template("setup_letter.txt").render(site=desk.state.site, today=utc_now()[:10])
    headers = {"Content-Disposition": 'attachment; filename="certification-letter.txt"'}
    return PlainTextResponse(text, headers=headers)


def found(request: Request, desk: DeskOf, form: Posted) -> Response:
    """Found the installation; the page it answers with is the last of the set-up."""
    if desk.state.expire():
        return _to(desk)
    try:
        made = desk.state.found()
    except CoverslipError as error:
        if error.code == "SEQ_STATE":
            raise
        return desk.page(request, "setup_review.html", error.status, step="review", error=error)
    desk.ending.close()
    answer = desk.page(request, "setup_founded.html", step="", founded=made)
    answer.delete_cookie(desk.cookie, path="/", secure=desk.serving.secure, httponly=True, samesite="strict")
    answer.background = BackgroundTask(desk.ending.finish)
    return answer
