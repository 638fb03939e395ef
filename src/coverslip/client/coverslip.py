"""``Coverslip``: one person, or one device, at one installation.

    >>> cs = Coverslip("unix:/srv/lab/run/api.sock")             # doctest: +SKIP
    >>> cs.sign_in("b.osei", getpass())                          # doctest: +SKIP
    >>> [r["number"] for r in cs.records.list("image")]          # doctest: +SKIP

or, asked for the password, and signed out at the end:

    >>> with Coverslip.connect() as cs:                          # doctest: +SKIP
    ...     cs.results("RUN-2026-00001")

Rules kept here: a password is sent once and kept nowhere; a session belongs to whoever signed in; every
error is an ``ApiError`` with its code.
"""

from __future__ import annotations

import contextlib
import mimetypes
import os
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from coverslip.client.connecting import TOKEN_VARIABLE, password_of, username_of
from coverslip.client.device import DeviceKey, header, manifest, statement
from coverslip.client.errors import ApiError, fault, misuse
from coverslip.client.files import (
    BLOCK_BYTES,
    FileFacts,
    Progress,
    blocks,
    examine,
    quiet,
    recorded_file,
    same_file,
    save,
)
from coverslip.client.records import Records, segment
from coverslip.client.reviews import Reviews
from coverslip.client.science import Science
from coverslip.client.transport import Address, Transport, decoded, find_address, parse_address
from coverslip.client.values import Json, Receipt, Saved, SignedIn, receipt, signed_in
from coverslip.ledger.files import FileDigest


def workstation() -> str:
    """Return the name of this machine as sessions record it."""
    return socket.gethostname()[:200]


def local_zone() -> str:
    """Return this machine's IANA time zone: ``TZ``, else ``/etc/localtime``, else ``UTC``."""
    given = os.environ.get("TZ", "").removeprefix(":")
    if "/" in given and not given.startswith("/"):
        return given
    parts = Path("/etc/localtime").resolve().as_posix().split("zoneinfo/")
    return parts[1] if len(parts) == 2 and not given else "UTC"


class Coverslip(Science):
    """A client of one running server. Use it in ``with``, or close it."""

    def __init__(
        self,
        server: str | Address = "",
        *,
        home: Path | str | None = None,
        token: str = "",
        timeout_s: float = 60.0,
    ) -> None:
        """Name the server: ``unix:PATH`` or a URL, else ``home``, else the environment says.

        Raises ``MisuseError`` when none is named, or plain HTTP would leave this machine.
        """
        if isinstance(server, Address):
            address: Address | None = server
        else:
            address = parse_address(server) if server else find_address(home=Path(home) if home else None)
        if address is None:
            raise misuse(
                "server", "an address, or the variable COVERSLIP_SERVER or COVERSLIP_HOME", "none of them"
            )
        self._transport = Transport(address, token, timeout_s)
        self.records = Records(self._transport)
        self.reviews = Reviews(self._transport)
        self._ends_session = False

    @classmethod
    def connect(
        cls,
        server: str | Address = "",
        *,
        home: Path | str | None = None,
        username: str = "",
        timeout_s: float = 60.0,
    ) -> Coverslip:
        """Return a client that is signed in: by ``COVERSLIP_TOKEN``, else by a password that is typed.

        Whoever signs in is ``username``, else ``COVERSLIP_USER``, else asked for. A session opened here ends
        with ``with``; that of a token goes on. Raises ``MisuseError`` where no server is named or nobody can
        be asked, ``RefusedError`` for a token or password that does not hold.
        """
        found = cls(server, home=home, timeout_s=timeout_s)
        try:
            if token := os.environ.get(TOKEN_VARIABLE, ""):
                found._transport.token = token
                found.me()
            else:
                who = username_of(username)
                found.sign_in(who, password_of(who))
                found._ends_session = True
        except BaseException:  # the connection must not stay open; raised again
            found.close()
            raise
        return found

    def __enter__(self) -> Coverslip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._ends_session and self._transport.token:
                # What went wrong inside is what matters; a session nobody ends, ends by itself.
                with contextlib.suppress(ApiError):
                    self.sign_out()
        finally:
            self.close()

    def __repr__(self) -> str:
        return (
            f"Coverslip({str(self.address)!r}, {'signed in' if self._transport.token else 'not signed in'})"
        )

    @property
    def address(self) -> Address:
        """Where the server is."""
        return self._transport.address

    def close(self) -> None:
        """Close the connection. The session goes on; ``sign_out`` ends it."""
        self._transport.close()

    # --- sessions ------------------------------------------------------------------------------

    def sign_in(self, username: str, password: str, *, place: str = "", zone: str = "") -> SignedIn:
        """Sign in; later calls are this person's. ``place`` and ``zone`` default to this machine's.

        Raises ``RefusedError``: SIG_REAUTH (whatever was wrong), THROTTLED, ACCOUNT_LOCKED, AUTH_SHARED.
        """
        body = {
            "username": username,
            "password": password,
            "workstation": place or workstation(),
            "zone": zone or local_zone(),
        }
        return self._opened(self._transport.json("POST", "/sessions", body=body))

    def device_sign_in(self, device: str, key: DeviceKey, log: str, at: datetime | None = None) -> SignedIn:
        """Open a device's session. ``log`` is the installation's origin; ``at`` the device's own clock where
        that is not this machine's. Raises DEVICE_UNKNOWN."""
        stated = statement(device, log, at)
        body = {"device": device, "statement": stated.hex(), "signature": key.sign(stated)}
        return self._opened(self._transport.json("POST", "/sessions/device", body=body))

    def _opened(self, value: Json) -> SignedIn:
        found = signed_in(value)
        self._transport.token = found.token
        return found

    def sign_out(self) -> None:
        """End the session."""
        self._transport.json("DELETE", "/sessions/current")
        self._transport.token = ""

    def me(self) -> Json:
        """Return who is signed in and at which installation."""
        value: Json = self._transport.json("GET", "/me")
        return value

    def notices(self) -> list[Json]:
        """Return what the installation has to tell this person about their own account, newest first."""
        found: list[Json] = self._transport.json("GET", "/me/notices")
        return found

    def work(self, *, limit: int = 0) -> Iterator[Json]:
        """Yield what waits for this person: by due date, then the newest change first; 0: all."""
        cursor, count = "", 0
        while True:
            size = min(100, limit - count) if limit else 100
            query = {"limit": size} | ({"cursor": cursor} if cursor else {})
            page = self._transport.json("GET", "/me/work", query=query)
            yield from page["items"]
            count, cursor = count + len(page["items"]), str(page["next"])
            if not cursor or (limit and count >= limit):
                return

    def happened(self, *, after: int | None = None, limit: int = 100) -> Json:
        """Return a page of what others did to records this person watches, made or owns.

        ``after`` a tree index; left out, after what was seen. ``next`` is where to go on while ``more``.
        """
        query = {"limit": limit} | ({} if after is None else {"after": after})
        value: Json = self._transport.json("GET", "/me/events", query=query)
        return value

    def seen(self, index: int) -> int:
        """Keep how far this person has looked; return it. It never goes back."""
        return int(self._transport.json("POST", "/me/events/seen", body={"index": index})["seen"])

    def enrol(self, code: str, username: str, password: str) -> Receipt:
        """Use a one-time code: make one's own signing key under one's own password, and sign for it."""
        body = {
            "code": code,
            "username": username,
            "password": password,
            "workstation": workstation(),
            "zone": local_zone(),
        }
        return receipt(self._transport.json("POST", "/enrolments", body=body))

    # --- types and ledger ----------------------------------------------------------------------

    def types(self) -> tuple[Json, ...]:
        """Return the record types with their states and acts."""
        return tuple(self._transport.json("GET", "/types"))

    def definition(self, name: str) -> Json:
        """Return one type's definition as it stands on the ledger."""
        value: Json = self._transport.json("GET", f"/types/{segment(name)}")
        return value

    def check_refinement(self, name: str, patch: Mapping[str, Any]) -> Json:
        """Try a patch on a type: whether it fits, every problem, and what it does in words."""
        path = f"/types/{segment(name)}/refinement/check"
        value: Json = self._transport.json("POST", path, body={"patch": dict(patch)})
        return value

    def training_matrix(self, role: str = "") -> Json:
        """Return role by document by person as of now, green, amber or red, with why, and the gaps."""
        value: Json = self._transport.json("GET", "/training/matrix", query={"role": role} if role else None)
        return value

    def scope(self, as_of: str = "") -> Json:
        """Return the scope inventory: every record type and scope item with what applies to it, and why.

        ``as_of`` (``YYYY-MM-DD``) takes the scope decisions of that day. The export is an entry.
        """
        value: Json = self._transport.json("GET", "/scope", query={"as_of": as_of} if as_of else None)
        return value

    def events(self, after: str = "", *, type: str = "", limit: int = 200) -> tuple[tuple[Json, ...], str]:
        """Return events behind a cursor (empty: from the first), and the cursor to go on from."""
        query = {"after": after, "type": type, "limit": limit}
        value = self._transport.json("GET", "/events", query={k: v for k, v in query.items() if v})
        return tuple(value["events"]), str(value["next"])

    def trail(self, *, limit: int = 0, **asked: str) -> Iterator[Json]:
        """Yield entries of the whole installation, newest first, each with what it changed.

        ``asked``: ``person``, ``record``, ``kind``, ``type``, ``act``, ``since``, ``until``, ``field``,
        ``reason``; at most ``limit`` entries (0: all).
        """
        cursor, count = "", 0
        while True:
            size = min(200, limit - count) if limit else 200
            query = {k: v for k, v in asked.items() if v} | {"cursor": cursor, "limit": size}
            found = self._transport.json("GET", "/trail", query=query)
            yield from found["entries"]
            count += len(found["entries"])
            cursor = str(found.get("next") or "")
            if not cursor or (limit and count >= limit):
                return

    def algorithms(self) -> tuple[Json, ...]:
        """Return the bundled algorithms as the server would run them: hashes, limits, parameters."""
        return tuple(self._transport.json("GET", "/algorithms"))

    def reproduce(self, run: str, timeout_s: float = 7500.0) -> Json:
        """Let the server compute a recorded run again and return the comparison; nothing is recorded.

        It takes as long as the run did. Raises ``RefusedError``: SEQ_STATE without results, THROTTLED.
        """
        path = f"/runs/{segment(run)}/reproduce"
        value: Json = self._transport.json("POST", path, timeout_s=timeout_s)
        return value

    def ledger_status(self) -> Json:
        """Return size and root of the tree, the last checkpoint, and how many entries wait."""
        value: Json = self._transport.json("GET", "/ledger")
        return value

    def entry(self, entry: str) -> Json:
        """Return where an entry stands: ``pending``, or its tree ``index``."""
        value: Json = self._transport.json("GET", f"/ledger/entries/{segment(entry)}")
        return value

    def wait_integrated(self, entry: str, timeout_s: float = 10.0) -> Json:
        """Wait until an entry has its place in the tree and return it.

        Raises ``FaultError`` after ``timeout_s``: the entry stands and its receipt proves it, but its
        place is not known yet.
        """
        end = time.monotonic() + timeout_s
        pause = 0.05
        while (found := self.entry(entry)).get("pending", True):
            if time.monotonic() + pause > end:
                raise fault(
                    f"Entry {entry}",
                    f"integrated within {timeout_s:g} s",
                    "still pending",
                    "Keep the receipt; ask again later with 'coverslip ledger status'.",
                )
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)
        return found

    # --- files ---------------------------------------------------------------------------------

    def ingest(
        self,
        session: str,
        file: Path | FileFacts,
        *,
        sequence: int = 1,
        reason: str = "",
        taken_at: str = "",
        device: str = "",
        key: DeviceKey | None = None,
        progress: Progress = quiet,
    ) -> Json:
        """Send one file to an acquisition session, or to a study for a manual import, and return the image.

        A person gives ``reason``; a device gives ``device`` and ``key``. ``taken_at`` is the
        instrument's clock, UTC. The file is read twice: its hash goes ahead of it.
        """
        facts = file if isinstance(file, FileFacts) else examine(file)
        value = manifest(
            facts, sequence, taken_at=taken_at, reason=reason, device=device, session=session, key=key
        )
        headers = {"Coverslip-Manifest": header(value)}
        return self._put(f"/sessions/{segment(session)}/files", facts, headers, progress)

    def attach(self, file: Path, *, name: str = "", media_type: str = "", progress: Progress = quiet) -> Json:
        """Keep a file in the vault and return the value by which a record names it.

        Raises ``EvidenceError`` when the server's hash is not the one computed here.
        """
        facts = examine(file)
        media = media_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        value = self._put(
            f"/attachments/{segment(name or file.name)}/files", facts, {"Content-Type": media}, progress
        )
        same_file("", {"name": facts.name, "size": facts.size, "sha256": facts.sha256}, value)
        return value

    def _put(self, path: str, facts: FileFacts, headers: dict[str, str], progress: Progress) -> Json:
        sized = {"Content-Type": "application/octet-stream"} | headers | {"Content-Length": str(facts.size)}
        with self._transport.stream("PUT", path, content=blocks(facts, progress), headers=sized) as response:
            value: Json = decoded(response)
        return value

    def download(
        self, number: str, name: str, target: Path, *, overwrite: bool = False, progress: Progress = quiet
    ) -> Saved:
        """Save a file of a record bit for bit; it appears only if size, SHA-256 and root are those recorded.

        Raises ``EvidenceError`` when they are not.
        """
        record = self.records.show(number)
        expected = recorded_file(record, name)

        def check(digest: FileDigest) -> None:
            same_file(str(record["number"]), expected, digest.item(name))

        path = f"/records/{segment(number)}/files/{segment(name)}"
        with self._transport.stream("GET", path) as response:
            return save(
                response.iter_bytes(BLOCK_BYTES), target, overwrite=overwrite, progress=progress, check=check
            )

    def export(
        self,
        number: str,
        target: Path,
        *,
        text_filter: str = "",
        overwrite: bool = False,
        progress: Progress = quiet,
    ) -> Saved:
        """Save the evidence bundle of a record; the export is an entry. A filter makes it INCOMPLETE."""
        if target.exists() and not overwrite:
            raise misuse(str(target), "a name that is free", "an existing file", "Name another file.")
        path = f"/records/{segment(number)}/export"
        with self._transport.stream("POST", path, body={"filter": text_filter}) as response:
            return save(response.iter_bytes(BLOCK_BYTES), target, overwrite=overwrite, progress=progress)
