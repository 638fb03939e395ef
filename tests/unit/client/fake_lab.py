"""A laboratory in memory behind the real REST interface, on a private socket.

The application, its shapes, its problem details and the shipped types are the real ones; what lies behind
the ports is small and honest: versions, states, signatures with passwords, idempotency, a file store.
"""

from __future__ import annotations

import hashlib
import io
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import uvicorn

from coverslip.api.app import create_app
from coverslip.application.services import Services
from coverslip.errors import Conflict, Invalid, NotFound, Refused
from coverslip.kernel.accounts import Session
from coverslip.kernel.change import Change, EntryReceipt, Receipt
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.drafts import expand
from coverslip.kernel.identity import SignedIn, verify_device
from coverslip.kernel.queries import ListPage
from coverslip.kernel.rows import Row
from coverslip.ledger import canonical
from coverslip.ledger.files import digest_of
from coverslip.records import all_types

AT = "2026-11-21T04:00:00.000000Z"
PASSWORD = "correct horse battery"
ORIGIN = "lab.test/coverslip"


@cache
def shipped() -> Catalogue:
    return Catalogue(all_types())


@dataclass
class Lab:
    """People sign in with PASSWORD; ``readers`` may do nothing."""

    people: dict[str, str] = field(default_factory=lambda: {"ada": "Ada Adler", "ben": "Ben Boro"})
    readers: set[str] = field(default_factory=set)
    sessions: dict[str, Session] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    trail: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Receipt] = field(default_factory=dict)
    changes: list[tuple[Change, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    devices: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    pending: bool = False
    quarantine: set[str] = field(default_factory=set)
    catalogue: Catalogue = field(default_factory=shipped)

    # --- identity and accounts ----------------------------------------------------------------

    def delay_s(self, username: str) -> int:
        return 0

    def sign_in(
        self, username: str, secret: str, place: Any, code: str = "", *, resume: bool = False
    ) -> SignedIn:
        if username not in self.people or secret != PASSWORD:
            self.refusals.append("SIG_REAUTH")
            raise Refused("SIG_REAUTH", expected="a user name and its password are")
        return self._open(username, "password", place, {"succeeded": "2026-11-20T08:00:00.000000Z"})

    def _open(self, name: str, kind: str, place: Any, last: dict[str, str]) -> SignedIn:
        token = uuid4().hex
        session = Session(
            str(uuid4()),
            name,
            name,
            kind,
            place.workstation,
            place.address,
            place.client,
            place.zone,
            AT,
            AT,
            "2026-11-21T16:00:00.000000Z",
        )
        self.sessions[token] = session
        return SignedIn(token, session, last)

    def session(self, token: str) -> Session:
        if token not in self.sessions:
            raise Refused("AUTH_REQUIRED")
        return self.sessions[token]

    def sign_out(self, session: Session, why: str = "") -> None:
        self.sessions = {t: s for t, s in self.sessions.items() if s.id != session.id}

    def device(self, number: str) -> tuple[str, dict[str, Any]] | None:
        return (number, {"number": number, "key": self.devices[number]}) if number in self.devices else None

    def device_session(
        self, device: str, data: dict[str, Any], statement: bytes, signed: bytes, place: Any
    ) -> SignedIn:
        verify_device(data, signed, statement)
        said = canonical.decode(statement)
        if said["device"] != device or said["log"] != ORIGIN:
            raise Refused("DEVICE_UNKNOWN", device=device)
        return self._open(device, "device", place, {})

    def invite(self, person: str, by: str) -> str:
        self.codes["one-time"] = person
        return "one-time"

    def account(self, person: str) -> dict[str, Any] | None:
        if person in self.people:
            return {
                "username": person,
                "name": self.people[person],
                "number": f"USR-{person}",
                "verified": True,
            }
        row = next((r for r in self.rows if r.uid == person), None)
        return {"username": row.fields["username"], "name": row.title, "number": row.number} if row else None

    def refusal_slot(self, scope: str, key: str) -> bool:
        return True

    # --- events -------------------------------------------------------------------------------

    def record(self, event: Any, context: Any) -> None:
        self.trail.append(
            {
                "uid": event.about.uid if event.about else "",
                "act": event.act,
                "about": True,
                "type": event.type,
                "actor": context.person,
                "sections": {"detail": event.detail},
            }
        )

    def view(self, event: Any, context: Any) -> None:
        self.record(event, context)

    def refuse(self, error: Any, context: Any, action: str, subject: Any = None) -> None:
        self.refusals.append(error.code)

    # --- the door -----------------------------------------------------------------------------

    def submit(self, change: Change, context: Any, credential: Any = None) -> Receipt:
        if change.idempotency_key in self.answers:
            return replace(self.answers[change.idempotency_key], replayed=True)
        row, signature = self._next(change, context)
        if signature is not None and credential is None:
            raise Refused(
                "SIG_REQUIRED",
                record=row.number,
                action=change.act,
                meaning=signature.meaning,
                meaning_text=signature.text,
            )
        if credential is not None and (credential.username, credential.secret) != (context.person, PASSWORD):
            raise Refused("SIG_REAUTH", expected="both user name and password are")
        self.changes.append((change, context.person))
        return self._written(change, context, row, signature)

    def _next(self, change: Change, context: Any) -> tuple[Row, Any]:
        if context.person in self.readers:
            raise self._role(change.act)
        if change.act == "create":
            definition = self.catalogue[change.type]
            missing = [n for n, f in definition.type.fields.items() if f.required and n not in change.fields]
            if missing and change.type == "study":
                problems = [{"code": "VAL_REQ", "field": n, "message": f"{n} is required."} for n in missing]
                raise Invalid("VAL_REQ", field=missing[0], state="planned", problems=problems)
            number = f"{definition.type.number.prefix}-{sum(r.version == 1 for r in self.rows) + 1:04d}"
            title = str(change.fields.get(definition.type.title_field, number))
            content = {"fields": dict(change.fields)}
            made = Row(
                change.type,
                str(uuid4()),
                number,
                0,
                1,
                1,
                definition.type.create.state,
                title,
                "gmp",
                "ab" * 32,
                definition.hash,
                content,
                AT,
                context.person,
                AT,
                context.person,
            )
            return made, definition.type.create.signature
        row = self.find(change.number)
        assert row is not None
        if change.expected_version not in (None, row.version):
            raise Conflict("SIG_STALE", record=row.number, time=AT, v=row.version)
        state, signature = row.state, None
        if change.act != "edit":
            definition = self.catalogue[row.type]
            transition = definition.acts.get(change.act)
            if transition is None or row.state not in expand(definition, transition.from_):
                raise Refused(
                    "SEQ_STATE", record=row.number, state=row.state, action=change.act, states="another state"
                )
            state, signature = transition.to or row.state, transition.signature
        elif len(change.reason) < 10:
            raise Invalid("REASON", n=10, text=change.reason)
        content = {"fields": row.fields | change.fields}
        return replace(row, version=row.version + 1, state=state, content=content), signature

    def _role(self, act: str) -> Refused:
        return Refused("AUTH_ROLE", role="ANL", action=act, record="this", roles="none")

    def _written(self, change: Change, context: Any, row: Row, signature: Any) -> Receipt:
        entry = str(uuid4())
        self.rows.append(row)
        sections: dict[str, Any] = {
            "content": {"state": row.state, "fields": row.fields},
            "reason": change.reason,
            "context": {"zone": context.zone, "workstation": context.workstation},
        }
        if signature is not None:
            signer = {"name": self.people[context.person], "username": context.person, "role": "QA"}
            sections["signature"] = {
                "kid": "00",
                "statement": {
                    "signer": signer,
                    "zone": context.zone,
                    "meaning": signature.meaning,
                    "meaning_text": signature.text,
                    "act": change.act,
                    "components": ["user_id", "password"],
                },
            }
        self.trail.append(
            {
                "uid": row.uid,
                "index": len(self.trail),
                "entry": entry,
                "at": AT,
                "type": "record",
                "act": change.act,
                "version": row.version,
                "about": False,
                "actor": context.person,
                "actor_name": self.people.get(context.person, ""),
                "auth": context.auth,
                "leaf_hash": row.leaf_hash,
                "meaning": signature.meaning if signature else "",
                "sections": sections,
            }
        )
        receipt = Receipt(
            str(uuid4()),
            AT,
            (
                EntryReceipt(
                    row.type,
                    row.uid,
                    row.number,
                    row.revision,
                    row.version,
                    row.state,
                    change.act,
                    entry,
                    row.leaf_hash,
                ),
            ),
        )
        if change.idempotency_key:
            self.answers[change.idempotency_key] = receipt
        return receipt

    def explain(self, row: Row, context: Any, act: str) -> Any:
        return self._role(act) if context.person in self.readers else None

    def offer_all(self, row: Row, context: Any, acts: Any) -> Any:
        return {act: self.explain(row, context, act) for act in acts}

    def explain_create(self, definition: Any, context: Any) -> Any:
        return self._role("create") if context.person in self.readers else None

    def require_writer(self, context: Any, action: str) -> None:
        if context.person in self.readers:
            raise self._role(action)

    # --- reading ------------------------------------------------------------------------------

    def find(self, number: str, revision: int = 0) -> Row | None:
        return next((r for r in reversed(self.rows) if r.number == number), None)

    def page(
        self, kind: str, state: str, text: str, cursor: str, limit: int, narrowed: Any = None
    ) -> tuple[list[Row], str]:
        latest = {r.number: r for r in self.rows}
        found = [
            r
            for r in reversed(latest.values())
            if kind in ("", r.type) and state in ("", r.state) and text in r.title
        ]
        start = int(cursor[20:26] or 0)  # a cursor is a time and an id; here the microseconds count
        following = f"{AT[:20]}{start + limit:06d}Z/{UUID(int=0)}" if len(found) > start + limit else ""
        return found[start : start + limit], following

    def now(self) -> str:
        return AT

    def history(self, uid: str) -> list[dict[str, Any]]:
        return [e for e in self.trail if e["uid"] == uid and not e["about"]]

    def linked(self, uid: str) -> list[Row]:
        return [r for r in self.rows if r.uid != uid][:1]

    def status(self) -> dict[str, Any]:
        return {
            "size": len(self.trail),
            "root": "00" * 32,
            "pending": 0,
            "checkpoint": {"size": 1, "root": "00" * 32},
        }

    def feed(self, after: int, kind: str, limit: int) -> tuple[list[dict[str, Any]], int]:
        rows = {row.uid: row for row in self.rows}
        found = [
            {
                "cursor": str(e["index"]),
                "entry": e["entry"],
                "at": e["at"],
                "act": e["act"],
                "number": rows[e["uid"]].number,
                "type": rows[e["uid"]].type,
                "version": e["version"],
                "state": rows[e["uid"]].state,
                "actor": {"uid": e["actor"], "name": e["actor_name"]},
            }
            for e in self.trail[after + 1 :]
            if e["uid"] in rows
        ]
        shown = [e for e in found if kind in ("", e["type"])][:limit]
        return shown, int(shown[-1]["cursor"]) if len(shown) == limit else len(self.trail) - 1

    def roles(self, person: str) -> list[str]:
        return [] if person in self.readers else ["QA"]

    def receipt(self, entry: str) -> dict[str, Any] | None:
        index = next((i for i, e in enumerate(self.trail) if e.get("entry") == entry), None)
        if index is None:
            return None
        found: dict[str, Any] = {"entry": entry, "leaf_hash": "ab" * 32, "pending": self.pending}
        return found if self.pending else found | {"index": index}

    # --- files --------------------------------------------------------------------------------

    def deliver(self, session: str, context: Any, manifest: dict[str, Any], stream: Any) -> dict[str, Any]:
        if session == "ACQ-NONE":
            raise NotFound("NOT_FOUND", what="acquisition session", record=session)
        digest = digest_of(stream)
        if (digest.size, digest.sha256.hex()) != (manifest["size"], manifest["sha256"]):
            raise Invalid("VAL_FORM", field="the file", expected="the bytes announced", found="others")
        if context.auth == "device":
            signed = {
                k: manifest[k] for k in ("name", "size", "sha256", "sequence", "taken_at") if k in manifest
            }
            message = b"coverslip-delivery-v1\n" + canonical.encode(
                {"device": context.person, "session": session, **signed}
            )
            verify_device(
                {"key": self.devices[context.person]}, bytes.fromhex(manifest["signature"]), message
            )
        elif not manifest.get("reason"):
            raise Invalid("REASON", n=10, text="")
        self.deliveries.append({"session": session, "by": context.person, **manifest})
        held = manifest["name"] in self.quarantine
        return {
            "number": f"IMG-2026-{len(self.deliveries):06d}",
            "state": "quarantined" if held else "available",
            "name": manifest["name"],
            "sha256": manifest["sha256"],
            "size": manifest["size"],
            "why": ["The file is cut off."] if held else [],
            "checks": [],
        }

    def attach(self, name: str, media_type: str, stream: Any, length: int) -> dict[str, Any]:
        data = stream.read()
        digest = digest_of(io.BytesIO(data))
        self.files[digest.root.hex()] = data
        return {
            "name": name,
            "size": digest.size,
            "sha256": digest.sha256.hex(),
            "root": digest.root.hex(),
            "media_type": media_type,
        }

    def open(self, root: str) -> tuple[int, Iterator[bytes]]:
        data = self.files[root]
        return len(data), iter([data])

    def bundle(self, row: Row, context: Any, text_filter: str, out: Any) -> dict[str, Any]:
        out.write(f"bundle of {row.number} {text_filter}".encode() * 10)
        return {}

    def show(self, role: str = "") -> dict[str, Any]:
        """Return a training matrix of two people."""
        cells = [
            {
                "role": "ANL",
                "document": "SOP-0001 v1",
                "title": "Counting",
                "person": "USR-0001",
                "name": "Ada",
                "state": "green",
                "why": "trained on SOP-0001 v1",
            },
            {
                "role": "ANL",
                "document": "SOP-0001 v1",
                "title": "Counting",
                "person": "USR-0002",
                "name": "Bob",
                "state": "red",
                "why": "not trained, not assigned",
            },
        ]
        found = [cell for cell in cells if role in ("", cell["role"])]
        gaps = [cell for cell in found if cell["state"] != "green"]
        counts = {state: sum(c["state"] == state for c in found) for state in ("green", "amber", "red")}
        return {"as_of": "2026-11-21T04:00:00Z", "cells": found, "gaps": gaps, "counts": counts}

    def services(self) -> Services:
        me: Any = self
        return Services(
            catalogue=self.catalogue,
            door=me,
            identity=me,
            accounts=me,
            events=me,
            reading=me,
            delivery=me,
            exporting=me,
            receipts=lambda entry, leaf, at: f"coverslip receipt v1\n{ORIGIN}\n{entry}\n",
            installation=lambda: {"origin": ORIGIN, "use": "evaluation"},
            retaining=Keeping(),
            past=Remembering(),
            teaching=me,
            lists=Listing(self),
            upload_limit_bytes=50 * 1024**2,
        )


class Listing:
    """Lists, as far as the client asks them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def page(self, asked: Any, cursor: str, limit: int) -> ListPage:
        kind = asked.types[0] if len(asked.types) == 1 else ""
        state = asked.states[0] if asked.states else ""
        rows, following = self._lab.page(kind, state, asked.text, cursor, limit, asked.narrowed)
        return ListPage(tuple(rows), following)

    def count(self, asked: Any) -> Any:
        raise NotImplementedError

    def walk(self, asked: Any) -> Any:
        raise NotImplementedError


class Keeping:
    """What is told of retention."""

    def one(self, row: Row) -> dict[str, Any]:
        clock = {"rule": "RET-11", "citation": "11.10(e)", "record": row.label, "because": "waiting for: x"}
        return {
            "number": row.label,
            "sentence": "Open — waiting for: system retirement",
            "open": True,
            "rule_version": "1",
            "clocks": [clock],
            "preserved_by": ["LHD-0001"],
            "on_hold": [],
            "due": False,
        }

    def due(self, cursor: str) -> tuple[list[dict[str, Any]], str]:
        page = {"number": "STU-0002" if cursor else "STU-0001", "keep_until": "2022-01-31", "because": "over"}
        return [page], "" if cursor else str(UUID(int=1))


class Remembering:
    """What is told of the past."""

    def record(self, number: str, revision: int, at: str) -> dict[str, Any]:
        role = {"role": "AUT", "grant": "GRA-1", "usable": False, "lacking": ["SOP-0001 v1"]}
        known = [{"document": "SOP-0002 v1", "record": "TRN-1"}]
        act = {"act": "create", "version": 1, "at": at, "name": "Ada", "roles": [role], "trained": known}
        return {
            "as_of": at, "version": 1, "since": AT, "type_title": "User", "text": f"{number}  as it was\n",
            "definition": {"hash": "ab" * 32, "version": 2, "note": ""}, "acts": [act],
        }  # fmt: skip

    def matrix(self, at: str, person: str = "") -> dict[str, Any]:
        role = {"role": "ADM", "grant": "GRA-1", "usable": True, "lacking": [], "on_behalf_of": "USR-0009"}
        told = {
            "number": "USR-0001", "name": "Ada", "verified": True, "reads_only": False, "administrator": True,
            "roles": [role], "trained": [],
        }  # fmt: skip
        may = {"may": {"user": ["create", "edit"]}} if person else {}
        return {"as_of": at, "people": [told | may], "roles": {}, "definitions": {}}


@contextmanager
def serving(lab: Lab) -> Iterator[Path]:
    """Serve a lab on a private socket; yields its path."""
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        path = Path(folder) / "api.sock"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        config = uvicorn.Config(create_app(lab.services()), log_level="critical", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield path
        finally:
            server.should_exit = True
            thread.join(10)
            listener.close()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
