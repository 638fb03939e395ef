"""Acting: every change a person or program asks for, handed to the door.

Rules kept here: what is signed was shown as it is now; nobody acts on a record that does not match its
hash; a receipt says what was entered and is signed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from coverslip.application.assurance import insist_sound
from coverslip.application.services import Services
from coverslip.application.viewing import preview, require_shown, view
from coverslip.kernel.change import Change, Context, Credential, Receipt
from coverslip.kernel.commit import Ready
from coverslip.kernel.rows import Row


@dataclass(frozen=True, slots=True)
class Signing:
    """The components given for one signing, and the hash of the view that was shown."""

    credential: Credential
    shown: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted beside which record and act: values, why, and the version that was read."""

    fields: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    expected_version: int | None = None
    key: str = ""
    occurred_at: str = ""


def create(
    services: Services,
    context: Context,
    type: str,
    wish: Wish,
    number: str = "",
    signing: Signing | None = None,
) -> Receipt:
    """Make a record; ``number`` names the document whose next version is wanted.

    Raises what ``Door.submit`` raises.
    """
    change = _creation(services, type, wish, number, signing.shown if signing else "")
    return services.door.submit(change, context, signing.credential if signing else None)


def prepare_create(
    services: Services, context: Context, type: str, wish: Wish, number: str, shown: str
) -> Ready:
    """Prepare what a passkey signs when a record is made. Raises what ``Door.prepare`` raises."""
    return services.door.prepare(_creation(services, type, wish, number, shown), context)


def _creation(services: Services, type: str, wish: Wish, number: str, shown: str) -> Change:
    if shown:
        require_shown(shown, preview(services, type, wish.fields), "")
    return Change(
        "create",
        type=type,
        number=number,
        fields=wish.fields,
        reason=wish.reason,
        shown=shown,
        idempotency_key=wish.key,
        occurred_at=wish.occurred_at,
    )


def act(
    services: Services, context: Context, row: Row, name: str, wish: Wish, signing: Signing | None = None
) -> Receipt:
    """Do an act on a record as it was read.

    Raises ``HASH`` where what is stored of the record was altered, and what ``Door.submit`` raises.
    """
    change = _change(services, row, name, wish, signing.shown if signing else "")
    return services.door.submit(change, context, signing.credential if signing else None)


def prepare_act(services: Services, context: Context, row: Row, name: str, wish: Wish, shown: str) -> Ready:
    """Prepare what a passkey signs with an act. Raises what ``Door.prepare`` raises."""
    return services.door.prepare(_change(services, row, name, wish, shown), context)


def _change(services: Services, row: Row, name: str, wish: Wish, shown: str) -> Change:
    insist_sound(services.assurance, row)
    # What was read of an older version is stale, and the door says since when; it is no wrong view.
    if shown and not (wish.expected_version is not None and wish.expected_version < row.version):
        require_shown(shown, view(services, row), row.number)
    return Change(
        name,
        row.type,
        row.number,
        row.revision,
        wish.fields,
        wish.reason,
        wish.expected_version,
        shown,
        wish.key,
        wish.occurred_at,
    )


def proof(services: Services, receipt: Receipt) -> str:
    """Return the signed note that promises the first entry of a receipt its place in the tree."""
    first = receipt.entries[0]
    return services.receipts(first.entry, first.leaf_hash, receipt.at)
