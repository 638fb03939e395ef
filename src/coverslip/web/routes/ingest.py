"""Taking images in through a browser: files dropped on a session or a study, and settings read off a file.

Rules kept here:

* What a person brings is a manual import: it has a reason, and somebody else verifies it before it is used.
* A file's size and hash go ahead of it where the browser can tell them; without scripts they are taken as the
  file arrives. Either way the bytes that lie in the vault are those of the record.
* Nothing a file says of itself is believed without being checked; here it fills a form, which a person reads.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path as FilePath
from typing import Annotated, Any, BinaryIO, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from coverslip.application.finding import find
from coverslip.application.spool import spooled
from coverslip.errors import CoverslipError, Invalid
from coverslip.imaging import Refusal, inspect
from coverslip.kernel.rows import Row
from coverslip.ledger import canonical
from coverslip.web.security import require_token
from coverslip.web.templating import page
from coverslip.web.visit import FormOf, Visit, VisitOf, WritingVisit, require_room, visit_of

router = APIRouter()
SESSIONS, STUDIES = ("running", "completed"), ("in_progress",)
_BLOCK = 1024**2
_LOOKED_AT = 200
"""Images that are being registered, newest first, among which imports that wait are looked for."""
Manifest = Annotated[str, Header(alias="Coverslip-Manifest", max_length=8000)]


def _targets(visit: Visit) -> list[Row]:
    """Return what files can be brought to: sessions that run or have run, and studies in progress."""
    wanted = [("acquisition_session", s) for s in SESSIONS] + [("study", s) for s in STUDIES]
    return [row for kind, state in wanted for row in visit.services.reading.page(kind, state, "", "", 100)[0]]


def _waiting(visit: Visit) -> tuple[list[Row], bool]:
    """Return manual imports that nobody has verified yet, and whether there may be others beyond."""
    rows, following = visit.services.reading.page("image", "registering", "", "", _LOOKED_AT)
    waiting = [r for r in rows if r.fields.get("manual_import") and not r.people.get("signed_verified")]
    return waiting, bool(following)


@router.get("/ingest")
def ingest(request: Request, visit: VisitOf, to: Annotated[str, Query(max_length=80)] = "") -> Response:
    """Offer to bring files, and show the imports that wait for a second person."""
    return _page(request, visit, to, [])


def _page(request: Request, visit: Visit, to: str, results: list[dict[str, Any]]) -> Response:
    waiting, beyond = _waiting(visit)
    return page(
        request,
        visit,
        "ingest.html",
        nav="image",
        targets=_targets(visit),
        to=to,
        results=results,
        waiting=waiting,
        beyond=_LOOKED_AT if beyond else 0,
        catalogue=visit.services.catalogue,
        limit=visit.services.upload_limit_bytes,
    )


@router.post("/ingest/upload")
def upload(request: Request, visit: WritingVisit, form: FormOf) -> Response:
    """Take files of a form, without scripts: each becomes an image or is told why not."""
    request.state.action = "deliver"
    to, reason = str(form.get("to", "")), str(form.get("reason", ""))
    results = [_delivered(visit, to, reason, one, place) for place, one in enumerate(_files(form), start=1)]
    return _page(request, visit, to, results)


def _files(form: FormData) -> list[UploadFile]:
    return [one for one in form.getlist("files") if isinstance(one, UploadFile) and one.filename]


def _delivered(visit: Visit, to: str, reason: str, one: UploadFile, place: int) -> dict[str, Any]:
    name = (one.filename or "").replace("\\", "/").rpartition("/")[2]
    manifest = {"name": name, "reason": reason, "sequence": place} | _facts(one.file)
    try:
        answer = visit.services.delivery.deliver(to, visit.context, manifest, one.file)
    except CoverslipError as error:
        visit.services.events.refuse(error, visit.context, "deliver")
        return {"name": name, "error": f"{error.message} {error.remedy}".strip(), "code": error.code}
    return {"name": name} | answer


def _facts(file: BinaryIO) -> dict[str, Any]:
    """Return size and SHA-256 of what arrived; the file stands at its beginning again."""
    digest, size = hashlib.sha256(), 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
    file.seek(0)
    return {"size": size, "sha256": digest.hexdigest()}


@router.put("/ingest/{to}/upload")
async def put(request: Request, to: str, manifest: Manifest) -> Response:
    """Take one file whose name, size and hash went ahead of it; answers what became of it."""
    visit = await run_in_threadpool(visit_of, request)
    require_token(request, visit.token, request.headers.get("x-csrf-token", ""))
    request.state.action = "deliver"
    await run_in_threadpool(require_room, request, visit)
    try:
        value = canonical.decode(bytes.fromhex(manifest))
    except (ValueError, canonical.CanonicalError):
        raise Invalid(
            "VAL_FORM", field="manifest", expected="hex of canonical JSON", found="something else"
        ) from None
    async with spooled(request.stream(), visit.services.upload_limit_bytes) as body:
        try:
            answer = await run_in_threadpool(
                visit.services.delivery.deliver, to[:80], visit.context, value, cast(BinaryIO, body)
            )
        except CoverslipError as error:
            await run_in_threadpool(visit.services.events.refuse, error, visit.context, "deliver")
            said = f"{error.message} {error.remedy}".strip()
            return JSONResponse({"error": said, "code": error.code}, error.status)
    return JSONResponse(answer, 201)


@router.post("/ingest/settings/upload")
def settings(request: Request, visit: WritingVisit, form: FormOf) -> Response:
    """Read a file's metadata and lead to a new session whose settings are filled from it; nothing is kept."""
    request.state.action = "inspect"
    visit.services.door.require_writer(visit.context, "inspect")
    chosen = _files(form)
    if not chosen:
        raise Invalid("VAL_FORM", field="file", expected="a file of the instrument", found="none")
    found = _told(chosen[0])
    given = {"f.settings": json.dumps(found, indent=2, sort_keys=True)}
    study = str(form.get("study", ""))
    if study and find(visit.services, study).type == "study":
        given["f.study"] = study
    if visit.account.get("number"):
        given["f.operator"] = str(visit.account["number"])
    return RedirectResponse(f"/types/acquisition_session/new?{urlencode(given)}", 303)


def _told(upload: UploadFile) -> dict[str, Any]:
    """Return what a file says of the way it was taken, as settings; raises ``VAL_FORM`` for no image."""
    with tempfile.TemporaryDirectory(prefix="coverslip-inspect-") as folder:
        path = FilePath(folder) / "file"
        with path.open("wb") as out:
            shutil.copyfileobj(upload.file, out, _BLOCK)
        found = inspect(path, name=(upload.filename or "file").rpartition("/")[2])
    if isinstance(found, Refusal):
        raise Invalid("VAL_FORM", field="file", expected=found.expected[:200], found=found.found[:200])
    told = {
        "objective": found.objective,
        "magnification": found.magnification,
        "numerical_aperture": found.numerical_aperture,
        "exposure_ms": found.exposure_ms,
        "instrument_model": found.instrument_model,
        "instrument_serial": found.instrument_serial,
        "software": found.software,
        "pixel_size_um": found.pixel_size_um[0] if found.pixel_size_um else "",
        "bit_depth": str(found.bit_depth),
        "channels": [c.name for c in found.channels if c.name],
        "read_from": (upload.filename or "").rpartition("/")[2][:200],
    }
    return {name: value for name, value in told.items() if value}
