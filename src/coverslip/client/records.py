"""Records through the REST interface: read them, and do acts on them as the person signed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from coverslip.client.transport import Transport
from coverslip.client.values import Json, Receipt, Signature, View, receipt


def segment(text: str) -> str:
    """Return text as one segment of a path."""
    return quote(text, safe="")


class Records:
    """Lists, one record, its history, and every act on it. Numbers may name a version: ``SOP-0012v3``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(
        self,
        type: str = "",
        *,
        state: str = "",
        text: str = "",
        cursor: str = "",
        limit: int = 50,
        tag: str = "",
        overdue: bool = False,
        voided: bool = False,
    ) -> tuple[tuple[Json, ...], str]:
        """Return one page of records, newest change first, and the cursor of the next (empty: none).

        Voided records are left out unless ``voided``, a state or a text asks for them.
        """
        query = {"type": type, "state": state, "q": text, "cursor": cursor, "limit": limit, "tag": tag}
        asked = query | {name: "true" for name, on in (("overdue", overdue), ("voided", voided)) if on}
        value = self._transport.json("GET", "/records", query={k: v for k, v in asked.items() if v})
        return tuple(value["records"]), str(value.get("next") or "")

    def list(
        self,
        type: str = "",
        *,
        state: str = "",
        text: str = "",
        limit: int = 0,
        tag: str = "",
        overdue: bool = False,
        voided: bool = False,
    ) -> Iterator[Json]:
        """Yield records, newest change first, page by page; at most ``limit`` (0: all)."""
        cursor, count = "", 0
        while True:
            found, cursor = self.page(
                type,
                state=state,
                text=text,
                cursor=cursor,
                limit=min(200, limit - count) if limit else 200,
                tag=tag,
                overdue=overdue,
                voided=voided,
            )
            yield from found
            count += len(found)
            if not cursor or not found or (limit and count >= limit):
                return

    def show(self, number: str) -> Json:
        """Return one record with its signatures and what this person may do and why not."""
        return self._get(number)

    def history(self, number: str) -> Json:
        """Return the whole trail: who, what, when, field, old, new, reason."""
        return self._get(number, "/history")

    def diff(self, number: str, first: int, second: int) -> Json:
        """Return the fields that differ between two entry versions."""
        return self._get(number, "/diff", {"from": first, "to": second})

    def retention(self, number: str) -> Json:
        """Return until when a record is kept, by which rule, and who preserves it."""
        return self._get(number, "/retention")

    def due(self) -> Iterator[Json]:
        """Yield the records nothing asks to be kept any more, in the order of their making."""
        cursor = ""
        while True:
            found = self._transport.json("GET", "/retention/due", query={"after": cursor} if cursor else None)
            yield from found["records"]
            cursor = str(found.get("next") or "")
            if not cursor:
                return

    def as_of(self, number: str, at: str) -> Json:
        """Return a record as it was on a day or at an instant with zone, and its people as they were then."""
        return self._get(number, "/as-of", {"at": at})

    def authority(self, at: str, person: str = "") -> Json:
        """Return who could do what on a day; of one ``person`` also every act that was open to them."""
        query = {"at": at, **({"person": person} if person else {})}
        value: Json = self._transport.json("GET", "/authority", query=query)
        return value

    def links(self, number: str) -> tuple[Json, ...]:
        """Return the records that link to this one."""
        return tuple(self._transport.json("GET", f"/records/{segment(number)}/links"))

    def view(self, number: str) -> View:
        """Return the rendering a signature names; that it was seen is recorded."""
        value = self._get(number, "/view")
        return View(value["number"], value["version"], value["text"], value["shown"])

    def preview(self, type: str, fields: Mapping[str, Any], *, number: str = "") -> View:
        """Return what a new record will look like, to be read before its creation is signed."""
        body = {"type": type, "fields": dict(fields), "number": number}
        value = self._transport.json("POST", "/records/preview", body=body)
        return View(number, 0, value["text"], value["shown"])

    def create(
        self,
        type: str,
        fields: Mapping[str, Any],
        *,
        reason: str = "",
        number: str = "",
        signature: Signature | None = None,
        key: str = "",
        occurred_at: str = "",
    ) -> Receipt:
        """Make a record; ``number`` names the document whose next version is wanted.

        Links are given by number (``"STU-0001"``, ``"SOP-0012 v3"``), decimals as text. ``key`` is the
        idempotency key; without one, each call is an act of its own. ``occurred_at`` says when it happened,
        with offset, where that is not now; more than 15 minutes ago it is a late entry and needs a reason.
        """
        body: Json = {"type": type, "fields": dict(fields), "reason": reason, "number": number}
        body |= {"occurred_at": occurred_at} if occurred_at else {}
        return self._write("/records", body, signature, key)

    def edit(
        self,
        number: str,
        fields: Mapping[str, Any],
        *,
        reason: str,
        expected_version: int | None = None,
        signature: Signature | None = None,
        key: str = "",
        occurred_at: str = "",
    ) -> Receipt:
        """Change fields, with a reason, on the version that was read (else ``SIG_STALE``)."""
        body: Json = {"fields": dict(fields), "reason": reason, "expected_version": expected_version}
        body |= {"occurred_at": occurred_at} if occurred_at else {}
        return self._write(f"/records/{segment(number)}/edit", body, signature, key)

    def act(
        self,
        number: str,
        act: str,
        *,
        fields: Mapping[str, Any] | None = None,
        reason: str = "",
        expected_version: int | None = None,
        signature: Signature | None = None,
        key: str = "",
        occurred_at: str = "",
    ) -> Receipt:
        """Do a transition. Raises ``RefusedError`` with every condition that is not met."""
        body: Json = {"fields": dict(fields or {}), "reason": reason, "expected_version": expected_version}
        body |= {"occurred_at": occurred_at} if occurred_at else {}
        return self._write(f"/records/{segment(number)}/acts/{segment(act)}", body, signature, key)

    def sign(
        self,
        view: View,
        act: str,
        *,
        username: str,
        password: str,
        fields: Mapping[str, Any] | None = None,
        reason: str = "",
        key: str = "",
    ) -> Receipt:
        """Do a transition that needs a signature, on exactly what was shown."""
        signature = Signature(username, password, view.shown)
        return self.act(
            view.number,
            act,
            fields=fields,
            reason=reason,
            expected_version=view.version,
            signature=signature,
            key=key,
        )

    def bulk(self, changes: Sequence[Mapping[str, Any]], *, key: str = "") -> Receipt:
        """Do up to 500 unsigned changes together or none; a refusal names its ``line`` (from 1).

        Each is ``{"act": "create", "type", "fields"}``, or an act with ``number``, ``expected_version``,
        ``fields`` and ``reason``; ``occurred_at`` where it happened before.
        """
        return self._write("/bulk", {"changes": [dict(change) for change in changes]}, None, key)

    def invitation(self, number: str) -> str:
        """Return a one-time enrolment code for an invited person, valid for one day."""
        value = self._transport.json("POST", f"/records/{segment(number)}/invitation")
        return str(value["code"])

    def _get(self, number: str, rest: str = "", query: Mapping[str, Any] | None = None) -> Json:
        value: Json = self._transport.json("GET", f"/records/{segment(number)}{rest}", query=query)
        return value

    def _write(self, path: str, body: Json, signature: Signature | None, key: str) -> Receipt:
        if signature is not None:
            body["signature"] = signature.value()
        headers = {"Idempotency-Key": key or str(uuid4())}
        return receipt(self._transport.json("POST", path, body=body, headers=headers))
