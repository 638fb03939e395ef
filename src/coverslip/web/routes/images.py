"""Images: the gallery, the viewer of one, its tiles and values, with the session of the browser.

Rules kept here:

* What is looked at is the original, read in verified pieces; display settings stand in the address and never
  change a value. A contrast nobody chose is named where it is shown.
* Opening the viewer is one entry for each session and version of the record; tiles are none.
* Everything works without scripts: the same settings as form controls, and one picture of the whole plane.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from coverslip.application.finding import find, type_named
from coverslip.application.shortcut import CACHE
from coverslip.application.viewing import open_image
from coverslip.errors import CoverslipError, Invalid
from coverslip.imaging.display import MAX_INDEX, Display, Picture, Shown, display, window
from coverslip.kernel.rows import Row
from coverslip.web import marks, unshown
from coverslip.web.framing import frame
from coverslip.web.security import VIEWER_POLICY
from coverslip.web.templating import page
from coverslip.web.visit import Visit, VisitOf, token_of

router = APIRouter()
Number = Annotated[str, Path(max_length=80)]
Index = Annotated[int, Path(ge=0, le=MAX_INDEX)]
At = Annotated[int, Query(ge=0, le=MAX_INDEX)]
Format = Annotated[str, Path(pattern="^(jpg|png|webp)$")]
Channels = Annotated[str, Query(max_length=2000)]
Short = Annotated[str, Query(max_length=200)]
Cursor = Annotated[str, Query(max_length=300)]
ANNOTATION = "annotation"
_MARKS = 500
"""Annotations of an image that are drawn and listed."""
_GALLERY = 24
_WHOLE = 1024


def _image(request: Request, visit: Visit, number: str) -> Row:
    row = find(visit.services, number)
    request.state.subject = row
    return row


def _seen(request: Request, visit: Visit, number: str) -> Row:
    """Return an image whose pixels are asked for; an inspector has opened it by that, once as any viewer."""
    row = _image(request, visit, number)
    if visit.reader and visit.services.quarantine() is None:
        open_image(visit.services, row, visit.context)
    request.state.entered = True
    return row


@router.get("/images")
def gallery(
    request: Request, visit: VisitOf, state: Short = "", q: Short = "", cursor: Cursor = ""
) -> Response:
    """Show images with small pictures, newest change first."""
    services = visit.services
    rows, following = services.reading.page(
        "image", state, q, cursor, _GALLERY,
        services.working.narrowed("", overdue=False, everything=bool(state or q)),
    )  # fmt: skip
    more = {k: v for k, v in {"state": state, "q": q, "cursor": following}.items() if v}
    return page(
        request,
        visit,
        "images.html",
        fragment="results",
        nav="image",
        definition=type_named(services, "image"),
        rows=rows,
        following=urlencode(more) if following else "",
        cursor=cursor,
        given={"state": state, "q": q},
    )


@router.get("/images/{number}")
def show(request: Request, visit: VisitOf, number: Number, z: At = 0, t: At = 0) -> Response:
    """Show the viewer of an image; opening it is an entry."""
    row = _image(request, visit, number)
    services = visit.services
    shared = frame(visit, row, "Overview")
    values: dict[str, Any] = {"about": None, "unread": None}
    try:
        about, default = services.pictures.describe(row), services.pictures.default(row, z, t)
    except CoverslipError as error:
        values["unread"] = unshown.unshown(visit, row, error)
    else:
        shape = about["shape"]
        if z >= shape["z"] or t >= shape["t"]:
            limits = f"z 0 to {shape['z'] - 1}, t 0 to {shape['t'] - 1}"
            raise Invalid("VAL_RANGE", record=row.number, field="plane", value=f"z {z}, t {t}", limits=limits)
        values |= _viewer(request, visit, row, about, _settings(request, default))
        values |= {"marks": _marks(visit, row, about), "annotation": services.catalogue.get(ANNOTATION)}
        open_image(services, row, visit.context)
    response = page(
        request, visit, "image.html", **shared, **values,
        files=row.fields.get("files") or [],
        checks=row.fields.get("checks") or [],
        used=services.reading.linked(row.uid),
        rehashed=next(iter(services.reading.certificates("vault")), None),
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = VIEWER_POLICY
    return response


def _viewer(
    request: Request, visit: Visit, row: Row, about: dict[str, Any], settings: Display
) -> dict[str, Any]:
    shown = {one.channel: one for one in settings.channels}
    default = {one.channel: one for one in visit.services.pictures.default(row).channels}
    chosen = [one for one in settings.channels if one.channel in _visible(request, settings)]
    visible = ",".join(one.text() for one in chosen) or _nothing(settings)
    query = urlencode({"channels": visible, "z": settings.z, "t": settings.t})
    channels = [
        {
            **channel,
            "shown": shown.get(channel["index"]),
            "on": channel["index"] in {one.channel for one in chosen},
            "default": default.get(channel["index"]),
        }
        for channel in about["channels"]
    ]
    probed = None
    if "x" in request.query_params and "y" in request.query_params:
        x, y = (_number(request.query_params[name], name) for name in "xy")
        probed = visit.services.pictures.probe(row, x, y, settings.z, settings.t)
    return {
        "about": about, "channels": channels, "z": settings.z, "t": settings.t,
        "picture": f"/images/{row.number}/picture.jpg?{query}", "probed": probed, "bar": _bar(about),
        "kept": [(k, v) for k, v in request.query_params.multi_items() if k not in ("x", "y", "z", "t")],
    }  # fmt: skip


def _marks(visit: Visit, row: Row, about: dict[str, Any]) -> list[marks.Mark]:
    """Return the annotations of an image, as many as can be shown."""
    declared = visit.services.catalogue.get(ANNOTATION)
    if declared is None:
        return []
    voided = [one.name for one in declared.type.states if one.voided]
    found = visit.services.reading.linked(row.uid, (ANNOTATION,), _MARKS)
    return marks.marks(found, row.uid, about, voided)


def _bar(about: dict[str, Any]) -> dict[str, Any] | None:
    """Return length and pixels of a scale bar of about a fifth of the width; None where not calibrated."""
    if "pixel_size_um" not in about:
        return None
    each = float(about["pixel_size_um"]["x"])
    wanted = about["shape"]["x"] * each / 5
    power = 10.0 ** (len(str(int(wanted))) - 1 if wanted >= 1 else -3)
    length = max(
        (n * power * f for f in (1, 10, 100) for n in (1, 2, 5) if n * power * f <= wanted), default=power
    )
    return {"pixels": length / each, "text": f"{length:g} µm"}


def _settings(request: Request, default: Display) -> Display:
    """Return the settings of a form: ``lo0``, ``hi0`` in native values; what is left out is the default."""
    asked = request.query_params
    channels = []
    for one in default.channels:
        low, high = asked.get(f"lo{one.channel}", one.low), asked.get(f"hi{one.channel}", one.high)
        channels.append(Shown(one.channel, one.colour, *window(low[:40] or one.low, high[:40] or one.high)))
    return Display(default.z, default.t, tuple(channels))


def _visible(request: Request, settings: Display) -> set[int]:
    """Return which channels are on: all, unless a form was sent that names them."""
    if "set" not in request.query_params:
        return {one.channel for one in settings.channels}
    return {int(text) for text in request.query_params.getlist("on") if text.isdecimal() and len(text) < 5}


def _nothing(settings: Display) -> str:
    """Return what shows no channel: the first one in black."""
    return ",".join(f"{one.channel}:000000:{one.low}:{one.high}" for one in settings.channels[:1])


def _number(text: str, name: str) -> int:
    if not (text.isdecimal() and len(text) <= 7):
        raise Invalid("VAL_FORM", field=name, expected="a whole number of pixels", found=text[:20])
    return int(text)


@router.get("/images/{number}/tiles/{level}/{column}_{line}.{format}")
def tile(
    request: Request,
    visit: VisitOf,
    number: Number,
    level: Annotated[int, Path(ge=0, le=40)],
    column: Index,
    line: Index,
    format: Format,
    channels: Channels = "",
    z: At = 0,
    t: At = 0,
    q: Annotated[int, Query(ge=30, le=100)] = 85,
) -> Response:
    """Answer one tile; the next ones of this session take the short way for a moment."""
    row = _seen(request, visit, number)
    request.app.state.admissions.admit(token_of(request), number, row)
    settings = display(channels, z, t, format, q)
    return _answer(request, visit.services.pictures.tile(row, settings, level, column, line))


@router.get("/images/{number}/picture.{format}")
def picture(
    request: Request,
    visit: VisitOf,
    number: Number,
    format: Format,
    channels: Channels = "",
    z: At = 0,
    t: At = 0,
) -> Response:
    """Answer the whole plane in one picture."""
    row = _seen(request, visit, number)
    return _answer(request, visit.services.pictures.whole(row, display(channels, z, t, format), _WHOLE))


@router.get("/images/{number}/thumbnail.jpg")
def thumbnail(request: Request, visit: VisitOf, number: Number) -> Response:
    """Answer a small picture with the default settings."""
    # Small pictures belong to the page that shows them, which is entered.
    request.state.entered = True
    found = unshown.thumbnail(visit, _image(request, visit, number), 256)
    return found if isinstance(found, Response) else _answer(request, found)


@router.get("/images/{number}/probe")
def probe(
    request: Request, visit: VisitOf, number: Number, x: At, y: At, z: At = 0, t: At = 0
) -> dict[str, Any]:
    """Answer the native value of every channel at one pixel."""
    return visit.services.pictures.probe(_seen(request, visit, number), x, y, z, t)


@router.get("/images/{number}/histogram.svg")
def histogram(request: Request, visit: VisitOf, number: Number, c: At = 0, z: At = 0, t: At = 0) -> Response:
    """Answer the histogram of a plane as a drawing, least value to the left, heights by logarithm."""
    found = visit.services.pictures.histogram(_seen(request, visit, number), c, z, t)
    return Response(_drawing(found["counts"]), media_type="image/svg+xml", headers={"Cache-Control": CACHE})


def _drawing(counts: list[int]) -> str:
    most = max((n.bit_length() for n in counts), default=1) or 1
    steps = "".join(
        f"M{at} 32v-{32 * n.bit_length() / most:.1f}h1v{32 * n.bit_length() / most:.1f}z"
        for at, n in enumerate(counts)
        if n
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(1, len(counts))} 32" '
        f'preserveAspectRatio="none"><path d="{steps}" fill="#7f969e"/></svg>'
    )


def _answer(request: Request, found: Picture) -> Response:
    headers = {"ETag": f'"{found.tag}"', "Cache-Control": CACHE}
    if f'"{found.tag}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found.data, media_type=found.media, headers=headers)
