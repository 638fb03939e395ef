"""What a page shows in place of an image that has no picture.

Rules kept here:

* A list of images may hold one that cannot be shown: its place says so, and the list stays whole.
* Bytes that are not the ones stored are a finding: they are recorded as one before anything is shown instead.
"""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import RedirectResponse

from coverslip.errors import CoverslipError
from coverslip.imaging.display import Picture
from coverslip.kernel.rows import Row
from coverslip.web.templating import assets
from coverslip.web.visit import Visit

_CODES = frozenset({"NOT_FOUND", "VAL_FORM", "HASH"})


def unshown(visit: Visit, row: Row, error: CoverslipError) -> CoverslipError:
    """Return why an image cannot be shown, damage recorded; raise what is another trouble."""
    if error.code not in _CODES:
        raise error
    if error.code == "HASH":
        visit.services.events.refuse(error, visit.context, "open_image", row)
    return error


def thumbnail(visit: Visit, row: Row, size: int) -> Picture | Response:
    """Return the small picture of an image, or the way to the one that says there is none."""
    try:
        return visit.services.pictures.thumbnail(row, size)
    except CoverslipError as error:
        unshown(visit, row, error)
    # Not kept by the browser: a repaired file is shown the next time.
    address = assets().url("unshown.svg")
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
