"""The witness: remembers the last tree of each log it knows, and cosigns only what extends it.

C2SP tlog-witness ``add-checkpoint``, answered as that text says. Rules kept here:

* For each origin there is one history: a tree that is smaller, or does not extend the one cosigned last,
  is refused for ever, whoever signed it and however often the witness was killed.
* What was checked and what is remembered is one step under one lock; remembered means flushed.
* Two roots of one size, both signed by the log, prove a fork. From then on nothing of that log is cosigned
  until the witness's operator has taken the file ``fork`` away.
* A log's key changes only by a statement that old and new key signed, or by the witness's operator.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from coverslip.anchoring.cosigner import Cosigner
from coverslip.anchoring.journal import Journal, Seen, append, keep_conflict
from coverslip.anchoring.mirror import Mirror, MirrorRefused
from coverslip.errors import EnvironmentFault
from coverslip.ledger import note, proof, rotation
from coverslip.ledger.checkpoint import Checkpoint, CheckpointError, insist_origin
from coverslip.ledger.failure import NoteError, ProofError

MAX_REQUEST: Final = 256 * 1024
MAX_PROOF: Final = 63
FORK: Final = "fork"
"""Requests that prove two histories of a log; while the file lies there nothing of it is cosigned."""
SIZE_TYPE: Final = "text/x.tlog.size"
PLAIN: Final = "text/plain; charset=utf-8"
_OLD: Final = re.compile(rb"old (0|[1-9][0-9]{0,18})")

Maker = Callable[[note.VerifierKey], note.Verifier]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say: HTTP status, body and media type."""

    status: int
    body: bytes = b""
    kind: str = PLAIN


class _Refused(Exception):
    def __init__(self, status: int, why: str, kind: str = PLAIN) -> None:
        super().__init__(why)
        self.answer = Answer(status, why.encode() + b"\n", kind)


@dataclass
class _Log:
    """One log: who may sign for it, and what was cosigned last."""

    origin: str
    folder: Path
    keys: list[note.VerifierKey]
    rotations: list[rotation.Rotation]
    journal: Journal
    last: Seen | None = None
    roots: dict[int, bytes] = field(default_factory=dict)
    mirror: Mirror | None = None

    @property
    def size(self) -> int:
        return 0 if self.last is None else self.last.size

    def trusted(self, size: int) -> list[note.VerifierKey]:
        """Return the keys that may sign a tree of a size."""
        known = [*self.keys, *(one.new for one in self.rotations)]
        unique = {key.format(): key for key in known}
        return [k for k in unique.values() if rotation.allowed(self.rotations, k.key_id, size)]


class Witness:
    """A witness in its own folder (mode 0700). Safe for several threads; one process holds the folder."""

    def __init__(self, folder: Path, cosigner: Cosigner, make: Maker, mirrored: bool = False) -> None:
        """Take up the folder. Raises ENVIRONMENT when another process holds it."""
        self._folder, self._cosigner, self._make, self._mirrored = folder, cosigner, make, mirrored
        self._lock = threading.Lock()
        self._held: IO[bytes] = open(folder / "lock", "ab")  # noqa: SIM115  held as long as the witness lives
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._held.close()
            raise EnvironmentFault(
                "ENVIRONMENT", what=str(folder), expected="one witness", found="another process holding it"
            ) from error
        try:
            found = map(self._open, sorted((folder / "logs").glob("*/origin")))
            self._logs = {log.origin: log for log in found}
        except BaseException:  # the folder is let go whatever was wrong in it; raised again
            self._held.close()
            raise

    def close(self) -> None:
        """Let go of the folder."""
        self._held.close()

    def vkey(self) -> str:
        """Return the witness's verifier key text."""
        return self._cosigner.verifier_key.format()

    # --- tlog-witness --------------------------------------------------------------------------
    def add_checkpoint(self, request: bytes) -> Answer:
        """Answer ``add-checkpoint``: 200 with a cosignature, or 400, 403, 404, 409, 422."""
        try:
            old, hashes, sealed = _parse(request)
            with self._lock:
                return self._add(request, old, hashes, sealed)
        except _Refused as refused:
            return refused.answer

    def checkpoint(self, origin_hash: str) -> Answer:
        """Answer the monitor's ``<origin hash>/checkpoint``: the newest cosigned note, or 404."""
        with self._lock:
            log = self._by_hash(origin_hash)
            if log is None or log.last is None:
                return Answer(404, b"nothing cosigned\n")
            return Answer(200, log.last.note)

    def _add(self, request: bytes, old: int, hashes: list[bytes], sealed: note.Note) -> Answer:
        log = self._logs.get(sealed.text.split("\n", 1)[0])
        if log is None:
            raise _Refused(404, "unknown log")
        checkpoint = self._signed(log, sealed)
        self._insist_one_history(log, checkpoint, request)
        if old > checkpoint.size:
            raise _Refused(400, "the old size is larger than the checkpoint's")
        if old != log.size:
            if checkpoint.size < log.size:
                keep_conflict(log.folder / "conflicts", request)
            raise _Refused(409, str(log.size), SIZE_TYPE)
        self._consistent(log, old, hashes, checkpoint, request)
        line = self._cosigner.cosign(sealed.text)
        trusted = {key.key_id for key in log.trusted(checkpoint.size)}
        own = [one for one in sealed.signatures if one.key_id in trusted]
        cosigned = note.Note(sealed.text, (*own, line)).to_bytes()
        self._remember(log, Seen(checkpoint.size, checkpoint.root, cosigned))
        return Answer(200, line.line().encode())

    def _signed(self, log: _Log, sealed: note.Note) -> Checkpoint:
        size = re.fullmatch(r"0|[1-9][0-9]{0,18}", [*sealed.text.split("\n"), ""][1])
        if size is None:
            raise _Refused(400, "no tree size")
        try:
            note.verify(sealed, [self._make(key) for key in log.trusted(int(size[0]))])
        except NoteError as error:
            raise _Refused(403, f"not signed by a key of this log: {error}") from error
        try:
            return Checkpoint.parse(sealed.text)
        except CheckpointError as error:
            raise _Refused(422 if size[0] == "0" else 400, str(error)) from error

    def _insist_one_history(self, log: _Log, checkpoint: Checkpoint, request: bytes) -> None:
        known = log.roots.get(checkpoint.size)
        if log.last is not None and checkpoint.size == log.last.size:
            known = log.last.root
        if known is not None and known != checkpoint.root:
            keep_conflict(log.folder / FORK, request)
        if (log.folder / FORK).exists():
            raise _Refused(
                422, "the log signed two histories; nothing is cosigned until the operator decides"
            )

    def _consistent(
        self, log: _Log, old: int, hashes: list[bytes], checkpoint: Checkpoint, request: bytes
    ) -> None:
        try:
            if old == 0 or log.last is None:
                if hashes:
                    raise ProofError("a proof from the empty tree must be empty", checkpoint.root)
            else:
                proof.verify_consistency(old, checkpoint.size, log.last.root, checkpoint.root, hashes)
        except ProofError as error:
            keep_conflict(log.folder / "conflicts", request)
            raise _Refused(422, f"it does not extend what was cosigned: {error.reason}") from error

    def _remember(self, log: _Log, seen: Seen) -> None:
        if log.last is None or seen.size != log.last.size:
            log.journal.append(seen)
        log.last = seen
        if log.mirror is not None:
            log.roots[seen.size] = seen.root

    # --- keys ----------------------------------------------------------------------------------
    def add_rotation(self, statement: bytes) -> Answer:
        """Take a change of a log's key: 200, or 403, 404, 409."""
        try:
            made = rotation.opened(statement, self._make)
        except NoteError as error:
            return Answer(403, f"{error}\n".encode())
        with self._lock:
            log = self._logs.get(made.last.origin)
            if log is None:
                return Answer(404, b"unknown log\n")
            if made in log.rotations:
                return Answer(200, b"known\n")
            if made.old not in log.trusted(made.last.size + 1):
                return Answer(409, b"the old key does not sign for this log any more, or never did\n")
            line = json.dumps({"statement": statement.decode()}).encode() + b"\n"
            append(log.folder / "rotations", line)
            log.rotations.append(made)
            return Answer(200, b"accepted\n")

    # --- mirror --------------------------------------------------------------------------------
    def mirrored(self, origin_hash: str) -> Answer:
        """Answer how many leaves of a log are held, 404 where none are kept."""
        with self._lock:
            log = self._by_hash(origin_hash)
            if log is None or log.mirror is None:
                return Answer(404, b"no mirror\n")
            return Answer(200, f"{log.mirror.size}\n".encode(), SIZE_TYPE)

    def add_leaves(self, origin_hash: str, start: int, data: bytes) -> Answer:
        """Take framed leaves from index ``start``: 200 and the size held, or 404, 409, 422."""
        with self._lock:
            log = self._by_hash(origin_hash)
            if log is None or log.mirror is None:
                return Answer(404, b"no mirror\n")
            if start != log.mirror.size:
                return Answer(409, f"{log.mirror.size}\n".encode(), SIZE_TYPE)
            try:
                log.mirror.add(data, log.roots, log.size)
            except MirrorRefused as error:
                keep_conflict(log.folder / "conflicts", f"leaves from {start}: {error}".encode())
                return Answer(422, f"{error}\n".encode())
            for size in [one for one in log.roots if one < log.mirror.verified]:
                del log.roots[size]
            return Answer(200, f"{log.mirror.size}\n".encode(), SIZE_TYPE)

    def standing(self) -> list[dict[str, str | int | bool]]:
        """Return what is known of each log: origin, size, root, leaves held, conflicts kept (bytes), fork."""
        found: list[dict[str, str | int | bool]] = []
        with self._lock:
            for log in self._logs.values():
                conflicts = log.folder / "conflicts"
                found.append(
                    {
                        "origin": log.origin,
                        "size": log.size,
                        "root": "" if log.last is None else log.last.root.hex(),
                        "mirrored": 0 if log.mirror is None else log.mirror.verified,
                        "conflict_bytes": conflicts.stat().st_size if conflicts.exists() else 0,
                        "forked": (log.folder / FORK).exists(),
                    }
                )
        return found

    # --- opening -------------------------------------------------------------------------------
    def _open(self, path: Path) -> _Log:
        folder, origin = path.parent, path.read_text("ascii").strip()
        keys = [note.VerifierKey.parse(line) for line in (folder / "keys").read_text("ascii").split()]
        log = _Log(origin, folder, keys, [], Journal(folder / "journal"))
        if (folder / "rotations").exists():
            lines = (folder / "rotations").read_bytes().split(b"\n")[:-1]
            log.rotations = [rotation.opened(json.loads(x)["statement"].encode(), self._make) for x in lines]
        for seen in log.journal.recent():
            log.last = seen
            log.roots[seen.size] = seen.root
        if self._mirrored:
            (folder / "mirror").mkdir(mode=0o700, exist_ok=True)
            log.mirror = Mirror(folder / "mirror")
        return log

    def _by_hash(self, origin_hash: str) -> _Log | None:
        return next((log for log in self._logs.values() if hashed(log.origin) == origin_hash), None)


def hashed(origin: str) -> str:
    """Return the hex SHA-256 of an origin, by which monitors ask."""
    return hashlib.sha256(origin.encode()).hexdigest()


def know(folder: Path, keys: Sequence[str]) -> str:
    """Have a witness's folder know a log by its verifier keys (vkey texts); return the origin.

    Done by the witness's operator while it is stopped. Keys are added to those known. Raises NoteError
    for a malformed key, ENVIRONMENT for keys of several logs.
    """
    parsed = [note.VerifierKey.parse(key) for key in keys]
    names = {key.name for key in parsed}
    if len(names) != 1:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what="the keys",
            expected="keys of one log",
            found=", ".join(sorted(names)) or "none",
        )
    origin = names.pop()
    insist_origin(origin)
    place = folder / "logs" / hashed(origin)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    append(place / "keys", "".join(f"{key.format()}\n" for key in parsed).encode())
    if not (place / "origin").exists() and not (place / "journal").exists():
        Journal.create(place / "journal")
    (place / "origin").write_text(origin + "\n", "ascii")
    return origin


def _parse(request: bytes) -> tuple[int, list[bytes], note.Note]:
    head, blank, rest = request.partition(b"\n\n")
    lines = head.split(b"\n")
    old = _OLD.fullmatch(lines[0])
    if not blank or old is None or len(lines) - 1 > MAX_PROOF:
        raise _Refused(400, "a request is an old size line, at most 63 hashes, an empty line, a checkpoint")
    try:
        hashes = [_hash(line) for line in lines[1:]]
        return int(old[1]), hashes, note.parse(rest)
    except NoteError as error:
        raise _Refused(400, str(error)) from error


def _hash(line: bytes) -> bytes:
    try:
        data = note.decode_base64(line.decode("ascii"))
    except UnicodeDecodeError:
        raise NoteError("a proof line is not base64") from None
    if len(data) != 32:
        raise NoteError("a proof line is not a hash of 32 bytes")
    return data


def request_of(old: int, hashes: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Return the body of an ``add-checkpoint`` request."""
    lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in hashes)
    return f"old {old}\n{lines}\n".encode() + checkpoint
