"""The scope inventory in one action: what is kept, which rule asks for it, what applies (P11-1-b.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from coverslip.api.access import ContextOf, ServicesOf
from coverslip.application.services import Services
from coverslip.exports import scope
from coverslip.kernel.events import Event
from coverslip.kernel.rows import Row
from coverslip.ledger import canonical

router = APIRouter(tags=["exports"])
_PAGE = 200


@router.get("/scope")
def inventory(
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    as_of: Annotated[str, Query(pattern=r"^(\d{4}-\d\d-\d\d)?$")] = "",
) -> dict[str, Any]:
    """Return every record type and scope item with rules, retention, signatures and what applies.

    ``as_of`` takes the scope decisions of that day. The export is an entry with the hash of the rows, unless
    the installation is in quarantine and nothing is written.
    """
    request.state.action = "export"
    decided = scope.decisions(_items(services), as_of, services.reading.history)
    rows = scope.inventory(services.catalogue, decided)
    digest = hashlib.sha256(canonical.encode(rows)).hexdigest()
    summary = {"what": "scope", "rows": len(rows), "sha256": digest} | ({"as_of": as_of} if as_of else {})
    if services.quarantine() is None:
        services.events.record(Event("export", "scope", summary), context)
    return {
        "installation": services.installation(),
        "as_of": as_of,
        "columns": list(scope.COLUMNS),
        "items": rows,
        "csv": scope.as_csv(rows),
        "sha256": digest,
    }


def _items(services: Services) -> Iterator[Row]:
    cursor = ""
    while True:
        rows, cursor = services.reading.page(scope.TYPE, "", "", cursor, _PAGE)
        yield from rows
        if not cursor:
            return
