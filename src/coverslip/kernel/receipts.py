"""Receipts: what a command answers, and how one is recognised when it is sent again.

Rules kept here: a receipt is made from the entries as they are written, or as they stand on the ledger;
two requests are the same if everything a person chose is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from coverslip.errors import Invalid
from coverslip.kernel import entries
from coverslip.kernel.change import Change, Context, EntryReceipt, Receipt
from coverslip.kernel.drafts import Draft
from coverslip.kernel.ports import Store
from coverslip.ledger import canonical, leaf


def earlier(store: Store, change: Change, context: Context) -> Receipt | None:
    """Return the receipt of what was written under this key; refuse a key of another request."""
    return earlier_of(store, change.idempotency_key, request_hash(change), context)


def earlier_of(store: Store, key: str, hashed: bytes, context: Context) -> Receipt | None:
    """Return the receipt of what was written under a key; refuse a key of a request with another hash."""
    found = store.earlier(UUID(context.person), key)
    if found is None:
        return None
    if found.request_hash != hashed:
        raise Invalid("IDEMPOTENCY", key=key)
    receipts = tuple(_receipt_of(data, content) for data, content in found.entries)
    return Receipt(str(found.command), found.at, receipts, replayed=True)


def request_hash(change: Change) -> bytes:
    """Return the hash of everything a person chose in a request."""
    value = [change.act, change.type, change.number, change.revision, change.reason, _plain(change.fields)]
    if change.occurred_at:
        value.append(change.occurred_at)
    return hashlib.sha256(canonical.encode(value)).digest()


def request_hash_of(changes: Iterable[Change]) -> bytes:
    """Return the hash of everything a person chose in a request of many changes, in their order."""
    return hashlib.sha256(b"".join(request_hash(change) for change in changes)).digest()


def _plain(value: Any) -> Any:
    """Reduce arbitrary request JSON to the canonical profile, for hashing only."""
    if isinstance(value, dict):
        return [[str(k), _plain(v)] for k, v in sorted(value.items(), key=lambda kv: str(kv[0]))]
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if isinstance(value, bool) else repr(value)


def receipt(draft: Draft, built: entries.Built) -> EntryReceipt:
    """Return the receipt of one entry as it was built."""
    return EntryReceipt(
        draft.definition.name,
        draft.uid,
        draft.number,
        draft.revision,
        draft.version,
        draft.state,
        draft.act,
        built.entry,
        built.leaf_hash,
    )


def _receipt_of(data: bytes, content: bytes) -> EntryReceipt:
    """Return the receipt of an entry as it stands on the ledger."""
    found, value = leaf.parse(data), canonical.decode(content)
    return EntryReceipt(
        found.record.kind,
        found.record.id,
        str(value["number"]),
        int(value.get("revision", 0)),
        found.record.ver,
        str(value["state"]),
        found.act,
        found.entry,
        leaf.hash(data).hex(),
    )
