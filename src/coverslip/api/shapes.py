"""Request bodies, bounded; answers are built from rows and receipts in one place."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from coverslip.kernel.change import Receipt
from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row

Short = Annotated[str, Field(max_length=200)]
Secret = Annotated[str, Field(max_length=1024, min_length=1, repr=False)]


class Body(BaseModel):
    """A request body: unknown names are refused, values are not converted and never repeated in an error."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class SignIn(Body):
    """Both components and the place."""

    username: Short
    password: Secret
    workstation: Short = ""
    zone: Short = "UTC"
    code: Annotated[str, Field(max_length=20, repr=False)] = ""
    resume: bool = False


class DeviceSignIn(Body):
    """A statement signed with the device's key; both hex."""

    device: Short
    statement: Annotated[str, Field(max_length=4000, pattern="^([0-9a-f]{2})+$")]
    signature: Annotated[str, Field(max_length=128, pattern="^[0-9a-f]{128}$")]


class Enrolment(Body):
    """A one-time code and the secret its owner chooses."""

    code: Annotated[str, Field(max_length=200, repr=False)]
    username: Short
    password: Secret
    workstation: Short = ""
    zone: Short = "UTC"


Octets = Annotated[str, Field(max_length=11000, min_length=1, pattern="^[A-Za-z0-9_-]+$")]


class Answer(Body):
    """What a passkey answered, base64url; ``ceremony`` names what was prepared, left out at sign-in."""

    ceremony: Annotated[str, Field(max_length=64)] = ""
    id: Octets
    authenticator_data: Octets
    client_data: Octets
    signature: Octets


class Signing(Body):
    """The components, entered for this signing, or a passkey's answer; the hash of the view shown."""

    username: Short = ""
    password: Annotated[str, Field(max_length=1024, repr=False)] = ""
    passkey: Answer | None = None
    shown: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class NewRecord(Body):
    """A record to be made; ``number`` names the document whose next version is wanted."""

    type: Short
    fields: dict[str, Any] = {}
    reason: Annotated[str, Field(max_length=4000)] = ""
    number: Short = ""
    signature: Signing | None = None
    occurred_at: Annotated[str, Field(max_length=40)] = ""


class Act(Body):
    """An edit or a transition on the version that was read."""

    expected_version: int | None = None
    fields: dict[str, Any] = {}
    reason: Annotated[str, Field(max_length=4000)] = ""
    signature: Signing | None = None
    occurred_at: Annotated[str, Field(max_length=40)] = ""


class BulkItem(Body):
    """One change of many: ``create`` with ``type``, or an act on the version of ``number`` that was read."""

    act: Short = "create"
    type: Short = ""
    number: Short = ""
    expected_version: int | None = None
    fields: dict[str, Any] = {}
    reason: Annotated[str, Field(max_length=4000)] = ""
    occurred_at: Annotated[str, Field(max_length=40)] = ""


class Bulk(Body):
    """Changes to be done together or not at all."""

    changes: Annotated[list[BulkItem], Field(min_length=1, max_length=500)]


class Seen(Body):
    """How far somebody has looked: a tree index."""

    index: Annotated[int, Field(ge=0, lt=2**53)]


class Export(Body):
    """What to export; a filter marks the copy INCOMPLETE."""

    filter: Short = ""


def record_value(row: Row, definition: Definition) -> dict[str, Any]:
    """Return a record as the interface shows it."""
    state = definition.state(row.state)
    value: dict[str, Any] = {
        "number": row.number,
        "type": row.type,
        "type_title": definition.type.title,
        "uid": row.uid,
        "version": row.version,
        "state": row.state,
        "title": row.title,
        "gxp": row.gxp,
        "sandbox": bool(row.content.get("sandbox")),
        "locked": state.locked,
        "effective": state.effective,
        "leaf_hash": row.leaf_hash,
        "definition": row.definition,
        "fields": row.fields,
        "people": row.people,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "changed_at": row.changed_at,
        "changed_by": row.changed_by,
        "late": bool(row.content.get("late")),
        "occurred_at": row.content.get("occurred_at", ""),
        "on_hold": [{"number": b.number, "reason": b.reason} for b in row.blockers],
    }
    return value | ({"revision": row.revision, "label": row.label} if row.revision else {"label": row.number})


def receipt_value(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as the interface shows it; the acted-on record first."""
    return {
        "command": receipt.command,
        "at": receipt.at,
        "replayed": receipt.replayed,
        "entries": [
            {
                "type": e.type,
                "number": e.number,
                **({"revision": e.revision} if e.revision else {}),
                "version": e.version,
                "state": e.state,
                "act": e.act,
                "entry": e.entry,
                "leaf_hash": e.leaf_hash,
                "uid": e.uid,
            }
            for e in receipt.entries
        ],
    }
