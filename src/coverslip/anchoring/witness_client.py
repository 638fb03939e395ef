"""The log's side of a witness: sends each checkpoint with the proof, and keeps the cosigned note.

Rules kept here:

* A cosignature counts only if it is by the witness's key that the operator gave, over this checkpoint.
* A witness that has seen more than this log has, or another history, is an alarm and never got round.
* Leaves are sent only to a witness that mirrors, and only those of the checkpoint it has just cosigned.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from coverslip.anchoring.mirror import MAX_BATCH
from coverslip.anchoring.refusal import AnchorRefused
from coverslip.anchoring.transport import client, read_limited
from coverslip.anchoring.witness import SIZE_TYPE, hashed, request_of
from coverslip.anchoring.witness_http import MIRROR, ROTATION
from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.failure import LedgerError
from coverslip.verifier.keys import NoteKey
from coverslip.verifier.leaves import framed

LIMIT: Final = 64 * 1024
TIMEOUT_S: Final = 10.0
OTHER_HISTORY: Final = "it holds another history of this log"
ROLLED_BACK: Final = "the log was rolled back"
_log = logging.getLogger(__name__)

Prove = Callable[[int, int], Sequence[bytes]]
"""Gives the consistency proof between two sizes of the log."""
Leaves = Callable[[int, int], Iterable[bytes]]
"""Gives the leaves from one index to before another."""


@dataclass
class WitnessAnchor:
    """A witness at a URL. ``rotations`` are statements about changes of the log's key, oldest first."""

    url: str
    key: note.VerifierKey
    prove: Prove
    rotations: Callable[[], Sequence[bytes]] = tuple
    leaves: Leaves | None = None
    ca: Path | None = None
    timeout_s: float = TIMEOUT_S
    _size: int = field(default=0)

    @property
    def type(self) -> str:
        """Kind of place, as recorded."""
        return "witness"

    @property
    def target(self) -> str:
        """Where it is, as recorded."""
        return self.url

    def put(self, sealed: bytes) -> bytes:
        """Have a checkpoint cosigned; return the note with the cosignature. Raises OSError, AnchorRefused."""
        wanted = Checkpoint.parse(note.parse(sealed).text)
        status, body = self._add(wanted, sealed)
        if status == 403:
            for statement in self.rotations():
                self._ask("POST", ROTATION, statement)
            status, body = self._add(wanted, sealed)
        if status == 409:
            self._size = _size(body)
            if self._size > wanted.size:
                raise AnchorRefused(
                    f"the witness has cosigned {self._size} entries and this checkpoint has {wanted.size}: "
                    f"{ROLLED_BACK}, or a newer checkpoint is on its way"
                )
            status, body = self._add(wanted, sealed)
        if status != 200:
            why = body[:200].decode("utf-8", "replace").strip()
            history = f"{OTHER_HISTORY}: " if status == 422 else ""
            raise AnchorRefused(f"the witness answered {status}: {history}{why}")
        cosigned = self._checked(sealed, body)
        self._size = wanted.size
        if self.leaves is not None:
            self._mirror(wanted)
        return cosigned

    def newest(self, origin: str) -> bytes | None:
        """Return the newest note the witness cosigned for a log, None if never. Raises OSError."""
        status, body, _ = self._ask("GET", f"/{hashed(origin)}/checkpoint", b"")
        if status == 404:
            return None
        if status != 200:
            raise AnchorRefused(f"the witness answered {status}")
        cosigned(body, self.key)
        return body

    def _add(self, wanted: Checkpoint, sealed: bytes) -> tuple[int, bytes]:
        known = min(self._size, wanted.size)
        proof = self.prove(known, wanted.size) if 0 < known < wanted.size else ()
        status, body, kind = self._ask("POST", "/add-checkpoint", request_of(known, proof, sealed))
        if status == 409 and kind != SIZE_TYPE:
            raise AnchorRefused("the witness answered 409 without its size")
        return status, body

    def _checked(self, sealed: bytes, lines: bytes) -> bytes:
        whole = sealed + lines
        try:
            made = cosigned(whole, self.key)
        except LedgerError as error:
            raise AnchorRefused(f"the witness's cosignature does not hold: {error}") from error
        own = note.parse(sealed)
        return note.Note(own.text, (*own.signatures, made)).to_bytes()

    def _mirror(self, wanted: Checkpoint) -> None:
        place = f"{MIRROR}/{hashed(wanted.origin)}"
        status, body, _ = self._ask("GET", place, b"")
        start = _size(body) if status == 200 else wanted.size
        if status != 200:
            _log.warning("witness %s keeps no mirror (%d)", self.url, status)
        while start < wanted.size and self.leaves is not None:
            batch, count = _batch(self.leaves(start, wanted.size))
            status, body, _ = self._ask("POST", f"{place}?start={start}", batch)
            if status != 200:
                why = body[:200].decode("utf-8", "replace").strip()
                raise AnchorRefused(f"the witness's mirror answered {status}: {why}")
            start += count

    def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes, str]:
        until = time.monotonic() + self.timeout_s
        url = self.url.rstrip("/") + path
        try:
            with (
                client(url, self.ca, self.timeout_s) as http,
                http.stream(method, url, content=body, headers={"content-type": "text/plain"}) as answer,
            ):
                data = read_limited(answer, LIMIT, until)
        except httpx.HTTPError as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        return answer.status_code, data, answer.headers.get("content-type", "").split(";")[0].strip()


def cosigned(data: bytes, key: note.VerifierKey) -> note.Signature:
    """Return the cosignature of a note by a witness's key. Raises NoteError where there is no good one."""
    (made,) = note.verify(note.parse(data), [NoteKey(key)])
    return made


def _size(body: bytes) -> int:
    text = body.strip()
    if not text.isdigit() or len(text) > 18:
        raise AnchorRefused("the witness answered no size")
    return int(text)


def _batch(leaves: Iterable[bytes]) -> tuple[bytes, int]:
    parts: list[bytes] = []
    size = 0
    source: Iterator[bytes] = iter(leaves)
    for leaf in source:
        one = framed(leaf)
        if size + len(one) > MAX_BATCH:
            break
        parts.append(one)
        size += len(one)
    return b"".join(parts), len(parts)
