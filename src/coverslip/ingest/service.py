"""Ingest: one delivery, from its first byte to an image that is available or in quarantine.

Rules kept here:

* Bytes are kept before anything is decided: an original in the vault, a refused one in quarantine.
* The server hashes what arrived; the sender's hash is only compared.
* Every delivery becomes an image record, the refused ones with every check and the reason.
* A device delivers only into a session of its own instrument; what it says of itself is compared
  with what the file says (DEVICE_MISMATCH).
* The same delivery sent again, because no answer came, goes on with the record it began, or gets the
  answer it had: never a second record. What is never sent again is closed by ``unfinished``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Protocol
from zoneinfo import ZoneInfo

from coverslip.errors import CoverslipError, Invalid, NotFound, Refused
from coverslip.imaging import CheckResult, ImageMetadata, Refusal, SessionFacts, ingest_checks, inspect
from coverslip.ingest.delivery import Manifest, check_device, read
from coverslip.ingest.unfinished import unfinished
from coverslip.kernel.accounts import Accounts
from coverslip.kernel.change import Change, Context, Receipt
from coverslip.kernel.commit import Door
from coverslip.kernel.content import is_file_name
from coverslip.kernel.events import Events
from coverslip.kernel.rows import Row

_BLOCK = 1 << 20
_OPEN_SESSION = ("running", "completed", "verified")
_OPEN_STUDY = ("in_progress",)
_FORMATS = {"TIFF": "tiff", "OME-TIFF": "ome_tiff", "ImageJ TIFF": "tiff", "PNG": "png", "JPEG": "jpeg"}


class Records(Protocol):
    """Reading records."""

    def find(self, number: str, revision: int = 0) -> Row | None:
        """Return a record by number."""
        ...

    def by_uid(self, kind: str, uid: str) -> Row | None:
        """Return a record by type and id."""
        ...

    def root_holder(self, root: str) -> str:
        """Return the number of the image registered with this root, empty when there is none."""
        ...

    def history(self, uid: str) -> list[dict[str, Any]]:
        """Return the entries of a record, oldest first."""
        ...


class Vault(Protocol):
    """Where bytes are kept; the vault's own documentation says what each raises."""

    def receive(self, source: Any, limit_bytes: int) -> Any:
        """Take bytes in, undecided and hashed."""
        ...

    def commit(self, received: Any) -> Any:
        """Make what was received an object."""
        ...

    def store(self, source: Any, limit_bytes: int) -> Any:
        """Receive and commit in one step."""
        ...

    def quarantine(self, received: Any, about: Mapping[str, Any]) -> Any:
        """Keep refused bytes apart."""
        ...

    def sidecar(self, root: str) -> Any:
        """Return size and hashes of an object."""
        ...

    def read_range(self, root: str, offset: int, length: int) -> bytes:
        """Return verified bytes of an object."""
        ...


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A delivery that lies in the vault's incoming folder, hashed."""

    manifest: Manifest
    context: Context
    session: Row
    receiving: Any
    metadata: ImageMetadata | Refusal
    checks: list[CheckResult]
    number: str


class Ingest:
    """Takes deliveries. ``service`` gives the context of the installation's own service account."""

    def __init__(
        self,
        door: Door,
        vault: Vault,
        records: Records,
        accounts: Accounts,
        events: Events,
        service: Any,
        limit_bytes: int,
    ) -> None:
        self._door, self._vault, self._records = door, vault, records
        self._accounts, self._events, self._service, self._limit = accounts, events, service, limit_bytes

    # --- files of records ----------------------------------------------------------------------

    def attach(self, name: str, media_type: str, stream: BinaryIO, length: int) -> dict[str, Any]:
        """Keep a file in the vault and return the value by which a record names it."""
        if not is_file_name(name):
            raise Invalid("VAL_FORM", field="name", expected="a file name without folders", found=name[:60])
        stored = self._vault.store(stream, self._limit)
        return {
            "name": name,
            "size": stored.size,
            "sha256": stored.sha256,
            "root": stored.root,
            "media_type": media_type or "application/octet-stream",
        }

    def open(self, root: str) -> tuple[int, Iterator[bytes]]:
        """Return size and bytes of a stored file, each block checked against its root as it is read."""
        sidecar = self._vault.sidecar(root)
        size = sidecar.size
        return size, self._blocks(root, size)

    def _blocks(self, root: str, size: int) -> Iterator[bytes]:
        for offset in range(0, size, _BLOCK):
            yield self._vault.read_range(root, offset, min(_BLOCK, size - offset))

    # --- deliveries ----------------------------------------------------------------------------

    def deliver(
        self, session: str, context: Context, manifest: dict[str, Any], stream: BinaryIO
    ) -> dict[str, Any]:
        """Take one file of a session; return the image's number, state, checks and receipt.

        Raises:
            Refused: DEVICE_UNKNOWN, the sender is not the session's instrument (bytes are kept aside).
            Invalid: the manifest is malformed, or size and hash are not those of the bytes.
            NotFound: there is no such session.
        """
        told = read(manifest)
        row = self._target(session, context)
        self._require_source(told, row, context, stream)
        receiving = self._vault.receive(stream, self._limit)
        try:
            self._require_bytes(told, receiving, row)
            number, before = self._begin(told, row, context)
            if before is not None:
                receiving.discard()
                return self._answered(before)
            metadata = inspect(receiving.path, name=told.name)
            checks = ingest_checks(metadata, self._facts(row, receiving.root))
            checks = [*_explained(checks, row), *self._declared(told, context)]
            arrived = _Arrived(told, context, row, receiving, metadata, checks, number)
            return self._register(arrived)
        except CoverslipError:
            if receiving.open:
                receiving.discard()
            raise

    def _target(self, number: str, context: Context) -> Row:
        """Return the started session of a delivery, or the study of a person's manual import."""
        row = self._records.find(number[:80])
        kinds = ("acquisition_session", "study") if context.personal else ("acquisition_session",)
        if row is None or row.type not in kinds:
            raise NotFound("NOT_FOUND", what=" or ".join(kinds).replace("_", " "), record=number[:60])
        open_in = _OPEN_SESSION if row.type == "acquisition_session" else _OPEN_STUDY
        if row.state not in open_in:
            error = Refused(
                "SEQ_STATE",
                record=row.number,
                state=row.state,
                action="delivery",
                states=" or ".join(open_in),
            )
            self._events.refuse(error, context, "deliver", row)
            raise error
        return row

    def _require_source(self, told: Manifest, row: Row, context: Context, stream: BinaryIO) -> None:
        """Refuse a device that is not the session's instrument or did not sign; its bytes are kept aside."""
        if context.personal:
            if not told.reason.strip():
                raise Invalid("REASON", record=row.number, n=10, text="")
            return
        found = self._accounts.account(context.person)
        data = found or {}
        try:
            if (row.fields.get("instrument") or {}).get("uid") != context.person:
                raise Refused(
                    "DEVICE_UNKNOWN", record=row.number, device=str(data.get("number", "the sender"))
                )
            check_device(told, data, row.number)
        except Refused as error:
            receiving = self._vault.receive(stream, self._limit)
            self._vault.quarantine(
                receiving,
                {"session": row.number, "name": told.name, "code": error.code, "reason": error.message},
            )
            raise

    def _require_bytes(self, told: Manifest, receiving: Any, row: Row) -> None:
        """Refuse bytes other than those announced; they are kept aside."""
        digest = receiving.digest
        if digest.size != told.size or digest.sha256.hex() != told.sha256:
            error = Invalid(
                "VAL_FORM",
                field="the file",
                expected=f"{told.size} bytes, sha256 {told.sha256[:12]}…",
                found=f"{digest.size} bytes, sha256 {digest.sha256.hex()[:12]}…",
            )
            about = {"session": row.number, "name": told.name, "code": error.code, "reason": error.message}
            self._vault.quarantine(receiving, about)
            raise error

    def _facts(self, row: Row, root: str) -> SessionFacts:
        instrument = self._linked(row, "instrument")
        holder = self._records.root_holder(root)
        started, ended = row.fields.get("started_at", ""), row.fields.get("ended_at", "")
        return SessionFacts(
            session=row.number,
            instrument=instrument.number if instrument else "",
            serial=str(instrument.fields.get("serial", "")) if instrument else "",
            file_root=root,
            start=_moment(started),
            end=_moment(ended),
            now=dt.datetime.fromisoformat(self._accounts.now()),
            device_zone=ZoneInfo("UTC"),
            clock_offset_s=int(row.fields.get("device_clock_offset_ms", 0)) // 1000,
            known_roots={root: holder} if holder else {},
        )

    def _linked(self, row: Row, field: str) -> Row | None:
        link = row.fields.get(field)
        return self._records.by_uid(link["type"], link["uid"]) if isinstance(link, dict) else None

    def _declared(self, told: Manifest, context: Context) -> list[CheckResult]:
        if context.personal:
            sentence = "Imported by hand; a second person verifies it."
            return [CheckResult("source", "absent", sentence)]
        account = self._accounts.account(context.person) or {}
        return [
            CheckResult("source", "pass", f"Delivered and signed by {account.get('number', 'the device')}.")
        ]

    # --- the record ----------------------------------------------------------------------------

    def _register(self, arrived: _Arrived) -> dict[str, Any]:
        number = arrived.number
        failed = [c for c in arrived.checks if c.verdict == "fail"]
        fields = self._read_fields(arrived)
        service = self._service()
        if failed:
            return self._quarantine(arrived, number, failed, fields, service)
        stored = self._vault.commit(arrived.receiving)
        value = _file_value(arrived.manifest, stored)
        fields |= {"files": [value], "root": stored.root}
        if arrived.context.personal:
            # A manual import waits for a second person; what was read is kept with the record all the same.
            receipt = self._submit(number, "describe", fields, "", service)
            return self._answer(arrived, receipt, failed)
        receipt = self._submit(number, "accept", fields, "", service)
        return self._answer(arrived, receipt, failed)

    def _begin(self, told: Manifest, row: Row, context: Context) -> tuple[str, Row | None]:
        """Return the number of the record of this delivery, and the record when it was answered before."""
        attempt = 0
        while True:
            attempt += 1
            made = self._create(told, row, context, _key(told, row, attempt))
            number = made.entries[0].number
            found = self._records.find(number) if made.replayed else None
            if found is None or (unfinished(found) and found.state == "registering"):
                return number, None
            if not unfinished(found):
                return number, found
            # It was given up and closed meanwhile: this is a new one.

    def _create(self, told: Manifest, row: Row, context: Context, key: str) -> Receipt:
        manual = context.personal
        fields: dict[str, Any] = {"name": told.name, "kind": "raw"}
        if row.type == "study":
            fields["study"] = row.number
        else:
            fields |= {"study": row.fields["study"]["number"], "session": row.number}
        if manual:
            fields |= {"manual_import": True, "import_reason": told.reason}
        return self._door.submit(Change("create", type="image", fields=fields, idempotency_key=key), context)

    def _answered(self, row: Row) -> dict[str, Any]:
        """Return what this delivery was answered before, or would have been."""
        delivery = row.fields.get("delivery") or {}
        last = [one for one in self._records.history(row.uid) if not one["about"]][-1]
        checks = row.fields.get("checks") or []
        return {
            "number": row.number,
            "state": row.state,
            "version": row.version,
            "entry": last["entry"],
            "name": row.fields["name"],
            "size": delivery.get("size", 0),
            "sha256": delivery.get("sha256", ""),
            "why": [c["sentence"] for c in checks if c["verdict"] == "fail"],
            "checks": checks,
        }

    def _quarantine(
        self,
        arrived: _Arrived,
        number: str,
        failed: list[CheckResult],
        fields: dict[str, Any],
        service: Context,
    ) -> dict[str, Any]:
        reason = " ".join(c.sentence for c in failed)[:3000]
        kept = self._vault.quarantine(arrived.receiving, {"record": number, "reason": reason})
        fields["delivery"] = {**fields["delivery"], "quarantine": kept.id}
        receipt = self._submit(number, "quarantine", fields, reason, service)
        mismatch = next((c for c in failed if c.code == "DEVICE_MISMATCH"), None)
        if mismatch is not None:
            error = Refused(
                "DEVICE_MISMATCH",
                record=number,
                found=mismatch.found,
                expected=mismatch.expected,
                device=(arrived.session.fields.get("instrument") or {}).get("number", "the device"),
            )
            self._events.refuse(error, arrived.context, "deliver", self._records.find(number))
        return self._answer(arrived, receipt, failed)

    def _submit(
        self, number: str, act: str, fields: dict[str, Any], reason: str, service: Context
    ) -> Receipt:
        return self._door.submit(Change(act, number=number, fields=fields, reason=reason), service)

    def _read_fields(self, arrived: _Arrived) -> dict[str, Any]:
        digest, told = arrived.receiving.digest, arrived.manifest
        account = self._accounts.account(arrived.context.person) or {}
        delivery: dict[str, Any] = {
            "by": account.get("number", ""),
            "manner": arrived.context.auth,
            "sequence": told.sequence,
            "size": digest.size,
            "sha256": digest.sha256.hex(),
            "root": digest.root.hex(),
            "signature": told.signature,
            "taken_at": told.taken_at,
        }
        fields: dict[str, Any] = {
            "checks": [_check_row(c) for c in arrived.checks],
            "delivery": {k: v for k, v in delivery.items() if v != ""},
        }
        if isinstance(arrived.metadata, ImageMetadata):
            fields |= _metadata_fields(arrived.metadata)
        if told.taken_at and "acquired_at" not in fields:
            fields["acquired_at"] = told.taken_at
        return fields

    def _answer(self, arrived: _Arrived, receipt: Receipt, failed: list[CheckResult]) -> dict[str, Any]:
        entry = receipt.entries[0]
        return {
            "number": entry.number,
            "state": entry.state,
            "version": entry.version,
            "entry": entry.entry,
            "name": arrived.manifest.name,
            "size": arrived.receiving.digest.size,
            "sha256": arrived.receiving.digest.sha256.hex(),
            "why": [c.sentence for c in failed],
            "checks": [_check_row(c) for c in arrived.checks],
        }


def _key(told: Manifest, row: Row, attempt: int) -> str:
    """Name a delivery: the same file of the same name and place in the same session is the same one."""
    said = "\n".join((row.uid, told.name, told.sha256, str(told.sequence), told.reason))
    return f"delivery-{hashlib.sha256(said.encode()).hexdigest()}-{attempt}"


def _explained(checks: list[CheckResult], session: Row) -> list[CheckResult]:
    """A time outside the session may be explained by the operator, before delivery; it stays visible."""
    why = session.fields.get("time_explanation")
    if not why:
        return checks
    return [
        replace(c, verdict="explained", sentence=f"{c.sentence} Explained: {why}"[:1000], code="")
        if c.check == "time" and c.verdict == "fail"
        else c
        for c in checks
    ]


def _file_value(told: Manifest, stored: Any) -> dict[str, Any]:
    media = mimetypes.guess_type(told.name)[0] or "application/octet-stream"
    return {
        "name": told.name,
        "size": stored.size,
        "sha256": stored.sha256,
        "root": stored.root,
        "media_type": media,
    }


def _check_row(check: CheckResult) -> dict[str, str]:
    row = {
        "check": check.check,
        "verdict": check.verdict,
        "sentence": check.sentence[:1000],
        "expected": check.expected[:500],
        "found": check.found[:500],
    }
    return {k: v for k, v in row.items() if v}


def _metadata_fields(metadata: ImageMetadata) -> dict[str, Any]:
    dims = metadata.dims
    fields: dict[str, Any] = {
        "format": _FORMATS[metadata.format],
        "dims": {"x": dims.x, "y": dims.y, "z": dims.z, "c": dims.c, "t": dims.t, "levels": dims.levels},
        "bit_depth": metadata.bit_depth,
        "channels": [_channel(i, c) for i, c in enumerate(metadata.channels[:200])],
        "metadata": metadata.content(),
    }
    if metadata.pixel_size_um is not None:
        fields |= {"pixel_size_x_um": metadata.pixel_size_um[0], "pixel_size_y_um": metadata.pixel_size_um[1]}
    else:
        fields["uncalibrated"] = True
    if metadata.acquired_at.endswith("Z"):
        fields["acquired_at"] = metadata.acquired_at
    return fields


def _channel(index: int, channel: Any) -> dict[str, Any]:
    row = {"index": index, "name": channel.name or f"channel {index + 1}"}
    return row | ({"emission_nm": channel.emission_nm} if channel.emission_nm else {})


def _moment(text: str) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
