"""A long ledger, made fast and made true.

Rules kept here:

* What is repeated is a real series: an acquisition session created and edited ten times through the one door.
  Each copy is another record with its own identifiers, salts, commitments, chain and admission tags.
* Entries, bodies, numbers and current states arrive by COPY, as the commit function would have written them;
  links and the idempotency rows of the series are not repeated.
* They come into the tree through the real sequencer, and are signed by the real signer.
"""

from __future__ import annotations

import hmac
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from bench.lab import edited_fields, session_fields
from coverslip.bootstrap import founding
from coverslip.kernel.change import Change
from coverslip.ledger import canonical, leaf
from coverslip.ledger.tree import leaf_hash

BLOCK: Final = 4000
"""Entries written to COPY at a time."""
_COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_SECTIONS: Final = ("content", "context", "reason")


@dataclass(frozen=True, slots=True)
class _Version:
    """One entry of the series with holes: leaf and content as %-formats, the other sections as they are."""

    leaf: bytes
    content: bytes
    context: bytes
    reason: bytes | None
    number: int


class Filler:
    """Repeats one series of a laboratory. ``uids`` are the records made, in order."""

    def __init__(self, lab: Any) -> None:
        self.lab = lab
        self.uids: list[str] = []
        alan = lab.alan
        made = alan.submit(Change("create", "acquisition_session", fields=session_fields(lab))).entries[0]
        for n in range(10):
            change = Change(
                "edit",
                "acquisition_session",
                made.number,
                0,
                edited_fields(n),
                "As asked for by the reviewer.",
                n + 1,
            )
            alan.submit(change)
        self._take(made.number)

    def _take(self, number: str) -> None:
        """Take the entries of a record as the series to repeat."""
        lab = self.lab
        self._number = number
        prefix, _, last = number.rpartition("-")
        self._prefix, self._last, self._width = prefix.encode(), int(last), len(last)
        row = lab.row(number)
        self._uid, self._kind = row.uid, row.type
        self._key = bytes.fromhex(lab.home.secret("admission.key").read_text("ascii").strip())
        rows = lab.ask(
            "select e.leaf, b.fixed, b.erasable, e.actor from ledger.entry e"
            " join ledger.body b on b.entry_id = e.id where e.record_id = %s order by e.version",
            self._uid,
        )
        self._actors = [r[3].bytes for r in rows]
        self._versions = [self._version(bytes(r[0]), bytes(r[1]), bytes(r[2])) for r in rows]
        self._row = lab.ask(
            "select state, title, gxp, def, content, created_by from projection.record where uid = %s",
            self._uid,
        )[0]
        self._links: list[tuple[Any, ...]] = []

    def _version(self, data: bytes, fixed: bytes, erasable: bytes) -> _Version:
        parsed, value = leaf.parse(data), json.loads(data)
        value["at"], value["cmd"], value["entry"] = "@", "@", "@"
        value["record"]["id"] = "@"
        if "prev" in value["record"]:
            value["record"]["prev"] = "@"
        content = fixed.replace(b"%", b"%%").replace(self._number.encode(), b"%b")
        size = parsed.body("context")
        assert size is not None
        context, reason = erasable[: size.length], erasable[size.length :]
        for ref in value["bodies"]:
            ref["c"] = "@"
            if ref["s"] == "content":
                ref["n"] = "#"
        text = json.dumps(value, sort_keys=True, separators=(",", ":")).encode().replace(b"%", b"%%")
        form = text.replace(b'"#"', b"%d").replace(b"@", b"%b")
        return _Version(form, content, context, reason or None, parsed.record.ver)

    def fill(self, count: int, *, tidy: bool = True) -> None:
        """Append about ``count`` entries (whole series), not yet in the tree; ``tidy`` tables afterwards."""
        with psycopg.connect(**self.lab.cluster.dsn("cs_superuser")) as conn:
            row = conn.execute("select coalesce(max(id), 0) from ledger.entry").fetchone()
            assert row is not None
            first = int(row[0]) + 1
            # Others append while this runs in no measurement; ids are drawn beforehand.
            series = max(1, count // len(self._versions))
            entries, bodies, heads = self._made(first, series)
            with conn.cursor().copy(
                "copy ledger.entry(log_id, id, record_id, version, kind, actor, command_id, leaf, admit)"
                " from stdin (format binary)"
            ) as copy:
                copy.write(_COPY_HEAD)
                for block in entries():
                    copy.write(block)
                copy.write(b"\xff\xff")
            with conn.cursor().copy(
                "copy ledger.body(entry_id, fixed_salts, fixed, erasable_salts, erasable)"
                " from stdin (format binary)"
            ) as copy:
                copy.write(_COPY_HEAD)
                for block in bodies:
                    copy.write(block)
                copy.write(b"\xff\xff")
            self._project(conn, heads)
            conn.execute("select setval('ledger.entry_id_seq', (select max(id) from ledger.entry))")
            prefix, last = self._prefix.decode().partition("-")[0], self._last + len(self.uids)
            counted = conn.execute("update ops.counter set last = %s where prefix = %s", (last, prefix))
            if counted.rowcount == 0:
                conn.execute("select setval(%s::regclass, %s)", (f"ops.number_{prefix.lower()}", last))
        if not tidy:
            return
        with psycopg.connect(**self.lab.cluster.dsn("cs_superuser"), autocommit=True) as conn:
            conn.execute("vacuum (analyze) ledger.entry, ledger.body, projection.record, projection.number")

    def _made(self, first: int, series: int) -> tuple[Any, list[bytes], list[tuple[Any, ...]]]:
        """Return a generator of COPY blocks of entries; bodies and heads fill while it runs."""
        bodies: list[bytes] = []
        heads: list[tuple[Any, ...]] = []

        def entries() -> Iterator[bytes]:
            block, held, at = list[bytes](), list[bytes](), datetime.now(UTC)
            for n in range(series):
                at += timedelta(microseconds=len(self._versions))
                if n % (BLOCK // len(self._versions)) == 0:
                    yield b"".join(block)
                    bodies.append(b"".join(held))
                    block, held, at = [], [], datetime.now(UTC)
                start = first + n * len(self._versions)
                heads.append(self._one(start, at, block, held))
            yield b"".join(block)
            bodies.append(b"".join(held))

        return entries, bodies, heads

    def _one(self, first: int, at: datetime, entries: list[bytes], bodies: list[bytes]) -> tuple[Any, ...]:
        """Append one record's rows; return its number, id, last hash, entry id and time."""
        count = len(self._versions)
        noise = os.urandom(16 * (2 * count + 1) + 96 * count)
        uid = _uuid7(at, noise[:16])
        uid_text = _text(uid)
        number = b"%b-%0*d" % (self._prefix, self._width, self._last + 1 + len(self.uids))
        prev = b""
        moment = b""
        for n, version in enumerate(self._versions):
            here = 16 + n * 128
            entry, command = _uuid7(at, noise[here : here + 16]), noise[here + 16 : here + 32]
            salts = noise[here + 32 : here + 128]
            moment = (at + timedelta(microseconds=n)).isoformat(timespec="microseconds")[:26].encode() + b"Z"
            content = version.content.replace(b"%b", number)
            parts = [content, version.context] + ([version.reason] if version.reason is not None else [])
            commitments = [
                hmac.digest(salts[k * 32 : k * 32 + 32], name.encode() + b"\0" + part, "sha256")
                .hex()
                .encode()
                for k, (name, part) in enumerate(zip(_SECTIONS, parts, strict=False))
            ]
            values = [
                moment,
                commitments[0],
                len(content),
                *commitments[1:],
                _text(command),
                _text(entry),
                uid_text,
            ]
            if prev:
                values.append(prev.hex().encode())
            data = version.leaf % tuple(values)
            prev = leaf_hash(data)
            tag = hmac.digest(self._key, prev, "sha256")
            kind, actor = self._kind.encode(), self._actors[n]
            entries.append(
                b"\0\x09\0\0\0\x02\0\x01\0\0\0\x08" + (first + n).to_bytes(8, "big")
                + b"\0\0\0\x10" + uid + b"\0\0\0\x04" + version.number.to_bytes(4, "big")
                + len(kind).to_bytes(4, "big") + kind + b"\0\0\0\x10" + actor + b"\0\0\0\x10" + command
                + len(data).to_bytes(4, "big") + data + b"\0\0\0\x20" + tag
            )  # fmt: skip
            rest = b"".join(parts[1:])
            bodies.append(
                b"\0\x05\0\0\0\x08" + (first + n).to_bytes(8, "big") + b"\0\0\0\x20" + salts[:32]
                + len(content).to_bytes(4, "big") + content
                + (32 * len(parts[1:])).to_bytes(4, "big") + salts[32 : 32 * len(parts)]
                + len(rest).to_bytes(4, "big") + rest
            )  # fmt: skip
        self.uids.append(uid_text.decode())
        return number.decode(), uid_text.decode(), prev, first + count - 1, moment.decode()

    def _project(self, conn: psycopg.Connection[Any], heads: list[tuple[Any, ...]]) -> None:
        state, title, gxp, definition, content, person = self._row
        text = json.dumps(content)
        count = len(self._versions)
        with conn.cursor().copy(
            "copy projection.record(type, uid, number, version, seq, state, title, gxp, def, leaf_hash,"
            " entry_id, content, created_at, created_by, changed_at, changed_by) from stdin"
        ) as copy:
            for number, uid, hashed, entry, moment in heads:
                copy.write_row(
                    (self._kind, uid, number, count, count, state, title, gxp, definition, hashed,
                     entry, text.replace(self._number, number), moment, person, moment, person)
                )  # fmt: skip
        with conn.cursor().copy("copy projection.number(number, revision, type, uid) from stdin") as copy:
            for number, uid, *_ in heads:
                copy.write_row((number, 0, self._kind, uid))
        with conn.cursor().copy(
            "copy projection.link(from_type, from_uid, field, to_type, to_uid, to_version) from stdin"
        ) as copy:
            for _, uid, *_ in heads:
                for link in self._links:
                    copy.write_row((self._kind, uid, *link))

    def integrate(self, *, sign: bool = True) -> tuple[int, float]:
        """Let the sequencer catch up, and the signer sign; return entries and seconds of catching up."""
        with closing(founding.sequencer_of(self.lab.home, self.lab.signer)) as sequencer:
            begin, count = time.perf_counter(), 0
            while done := sequencer.step(sign=False).integrated:
                count += done
            passed = time.perf_counter() - begin
            sequencer.step(sign=sign)
        return count, passed


def _uuid7(at: datetime, noise: bytes) -> bytes:
    stamp = int(at.timestamp() * 1000).to_bytes(6, "big")
    return stamp + bytes((0x70 | noise[6] & 15, noise[7], 0x80 | noise[8] & 63)) + noise[9:16]


def _text(raw: bytes) -> bytes:
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}".encode()


def checked(lab: Any) -> None:
    """Insist that entries made here are what the ledger calls entries: the last one is parsed in full."""
    data, content = lab.ask(
        "select e.leaf, b.fixed from ledger.entry e join ledger.body b on b.entry_id = e.id"
        " order by e.id desc limit 1"
    )[0]
    leaf.parse(bytes(data))
    canonical.decode(bytes(content))
