"""Bulk: many changes in one command, one entry each; all of them or none.

Rules kept here: nothing is signed in bulk; a refusal names the line (from 1) and the record; a repeated
idempotency key brings back what was written.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request

from coverslip.api.access import ContextOf, ServicesOf, reference
from coverslip.api.shapes import Bulk, BulkItem, receipt_value
from coverslip.kernel.change import Change

router = APIRouter(tags=["records"])


@router.post("/bulk")
def bulk(
    body: Bulk,
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    key: Annotated[str, Header(alias="Idempotency-Key", max_length=100)] = "",
) -> dict[str, Any]:
    """Do up to 500 unsigned changes in one transaction; ``command`` is the id of the batch."""
    request.state.action = "bulk"
    receipt = services.door.submit_all([_change(item) for item in body.changes], context, key)
    first = receipt.entries[0]
    note = services.receipts(first.entry, first.leaf_hash, receipt.at)
    return receipt_value(receipt) | {"receipt": note}


def _change(item: BulkItem) -> Change:
    number, revision = (item.number, 0) if item.act == "create" else reference(item.number)
    return Change(
        item.act,
        type=item.type,
        number=number,
        revision=revision,
        fields=item.fields,
        reason=item.reason,
        expected_version=item.expected_version,
        occurred_at=item.occurred_at,
    )
