"""Images: what they hold, tiles for looking, native values for computing.

Rules kept here:

* ``planes/…/region`` answers ``application/octet-stream``: native values, little-endian, C order. Its headers
  say what they are: ``Coverslip-Shape`` such as ``512,512`` or ``512,512,3`` (y, x, samples),
  ``Coverslip-Dtype``, numpy's name of the type, such as ``uint16``, and ``Coverslip-Sha256`` of the bytes
  (hex), so that a client takes no others.
* A tile's address holds every setting it was made with; its ``ETag`` is made of these and of the original.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from coverslip.api.access import ContextOf, ServicesOf, row_for
from coverslip.application.shortcut import bearer
from coverslip.imaging.display import MAX_INDEX, Picture, display

router = APIRouter(tags=["images"])
Index = Annotated[int, Path(ge=0, le=MAX_INDEX)]
At = Annotated[int, Query(ge=0, le=MAX_INDEX)]
Format = Annotated[str, Path(pattern="^(jpg|png|webp)$")]
Channels = Annotated[str, Query(max_length=2000, description="index:rrggbb:low:high, separated by commas")]
Quality = Annotated[int, Query(ge=30, le=100)]


@router.get("/images/{number}/pixels")
def pixels(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return shape by axis, type of values, channels, pixel size and levels of an image."""
    return services.pictures.describe(row_for(request, services, number))


@router.get(
    "/images/{number}/planes/{c}/{z}/{t}/region",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def region(
    number: str,
    c: Index,
    z: Index,
    t: Index,
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    x: At,
    y: At,
    w: Annotated[int, Query(ge=1, le=MAX_INDEX)],
    h: Annotated[int, Query(ge=1, le=MAX_INDEX)],
) -> Response:
    """Return native values of a part of a plane at full resolution."""
    found = services.pictures.region(row_for(request, services, number), c, z, t, (x, y, w, h))
    headers = {
        "Coverslip-Shape": ",".join(str(n) for n in found.shape),
        "Coverslip-Dtype": found.dtype,
        "Coverslip-Sha256": sha256(found.data).hexdigest(),
        "ETag": f'"{found.tag}"',
    }
    return Response(found.data, media_type="application/octet-stream", headers=headers)


@router.get("/images/{number}/probe")
def probe(
    number: str,
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    x: At,
    y: At,
    z: At = 0,
    t: At = 0,
) -> dict[str, Any]:
    """Return the native value of every channel at one pixel of the original."""
    return services.pictures.probe(row_for(request, services, number), x, y, z, t)


@router.get("/images/{number}/histogram")
def histogram(
    number: str, request: Request, services: ServicesOf, context: ContextOf, c: At = 0, z: At = 0, t: At = 0
) -> dict[str, Any]:
    """Return how often each native value occurs in a plane, and the window it is first shown in."""
    return services.pictures.histogram(row_for(request, services, number), c, z, t)


@router.get(
    "/images/{number}/tiles/{level}/{column}_{line}.{format}",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}}, 304: {"description": "Not changed."}},
)
def tile(
    number: str,
    level: Annotated[int, Path(ge=0, le=40)],
    column: Index,
    line: Index,
    format: Format,
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    channels: Channels = "",
    z: At = 0,
    t: At = 0,
    q: Quality = 85,
) -> Response:
    """Return one tile for showing; level 0 is full resolution. Without channels, the default settings."""
    row = row_for(request, services, number)
    request.app.state.admissions.admit(bearer(request.scope), number, row)
    settings = display(channels, z, t, format, q)
    tag = services.pictures.tag(row, settings, "tile", level, column, line)
    if _known(request, tag):
        return Response(status_code=304, headers={"ETag": f'"{tag}"'})
    return _picture(services.pictures.tile(row, settings, level, column, line))


@router.get(
    "/images/{number}/thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def thumbnail(
    number: str,
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    size: Annotated[int, Query(ge=16, le=1024)] = 256,
) -> Response:
    """Return a small picture of the first plane, with the default settings."""
    return _picture(services.pictures.thumbnail(row_for(request, services, number), size))


def _known(request: Request, tag: str) -> bool:
    return f'"{tag}"' in request.headers.get("if-none-match", "")


def _picture(found: Picture) -> Response:
    return Response(found.data, media_type=found.media, headers={"ETag": f'"{found.tag}"'})
