"""A device's outbox: what was delivered, under which sequence number, so that nothing is sent twice.

Rules kept here:

* A number is taken and written down before a file is sent. If the answer is lost, the same file is sent
  again under the same number, and the server sees the same bytes once more.
* A file is known by session, name and SHA-256: changed content is another delivery.
* What the server refused is not sent again by itself; a person looks first.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coverslip.client import ApiError, Coverslip, DeviceKey, FaultError, FileFacts
from coverslip.client.errors import misuse
from coverslip.client.files import Progress, quiet

FORMAT = 1


@dataclass
class Outbox:
    """The state file of one device. Written whole at every change."""

    path: Path
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> Outbox:
        """Read a state file, or start an empty one. Raises ``MisuseError`` for a file that is none."""
        try:
            value = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError) as error:
            raise misuse(
                str(path),
                "the state file of an outbox",
                type(error).__name__,
                "Look at what was delivered before starting a new one with --state.",
            ) from error
        if (
            not isinstance(value, dict)
            or value.get("format") != FORMAT
            or not isinstance(value.get("sessions"), dict)
        ):
            raise misuse(str(path), f"the state file of an outbox, format {FORMAT}", "something else")
        return cls(path, value["sessions"])

    def known(self, session: str, facts: FileFacts) -> dict[str, Any] | None:
        """Return what is known of a file in a session, ``None`` when it was never begun."""
        found: dict[str, Any] | None = self._files(session).get(self._id(facts))
        return found

    def begin(self, session: str, facts: FileFacts) -> int:
        """Take the sequence number of a file and write it down; the one taken before, if it was begun."""
        files = self._files(session)
        known = files.get(self._id(facts))
        if known is None:
            known = files[self._id(facts)] = {"sequence": len(files) + 1, "state": "sending"}
            self._save()
        return int(known["sequence"])

    def finish(self, session: str, facts: FileFacts, **outcome: Any) -> None:
        """Write down what became of a file: ``state`` and the image's number, or the code of a refusal."""
        self._files(session)[self._id(facts)].update(outcome)
        self._save()

    def _files(self, session: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sessions.setdefault(session, {})
        return found

    @staticmethod
    def _id(facts: FileFacts) -> str:
        return f"{facts.name} {facts.sha256}"

    def _save(self) -> None:
        value = {"format": FORMAT, "sessions": self.sessions}
        descriptor, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(value, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(self.path)


@dataclass
class Courier:
    """Delivers files of one device into one session, signing each manifest; signs in when it must."""

    client: Coverslip
    outbox: Outbox
    device: str
    session: str
    key: DeviceKey
    log: str
    _signed_in: bool = field(default=False, init=False)

    def deliver(self, facts: FileFacts, taken_at: str = "", progress: Progress = quiet) -> dict[str, Any]:
        """Return what became of a file: the server's answer, or what is known from before (``again``).

        Raises ``ApiError``: a refusal is written down first, a fault leaves the file to be sent again.
        """
        known = self.outbox.known(self.session, facts)
        if known is not None and known["state"] != "sending":
            return {"name": facts.name, "sha256": facts.sha256, "again": True} | known
        sequence = self.outbox.begin(self.session, facts)
        try:
            answer = self._send(facts, sequence, taken_at, progress)
        except FaultError:
            raise
        except ApiError as error:
            self.outbox.finish(self.session, facts, state="refused", code=error.code)
            raise
        self.outbox.finish(self.session, facts, state=answer["state"], number=answer["number"])
        return answer

    def _send(self, facts: FileFacts, sequence: int, taken_at: str, progress: Progress) -> dict[str, Any]:
        for last in (False, True):
            if not self._signed_in:
                self.client.device_sign_in(self.device, self.key, self.log)
                self._signed_in = True
            try:
                return self.client.ingest(
                    self.session,
                    facts,
                    sequence=sequence,
                    taken_at=taken_at,
                    device=self.device,
                    key=self.key,
                    progress=progress,
                )
            except ApiError as error:
                if error.code != "AUTH_REQUIRED" or last:
                    raise
                self._signed_in = False
        raise AssertionError("unreachable")  # pragma: no cover -- the loop returns or raises

    def close(self) -> None:
        """End the device's session."""
        if self._signed_in:
            self.client.sign_out()
            self._signed_in = False


@dataclass
class Watch:
    """Looks at a folder and yields files that are complete: unchanged between two looks."""

    folder: Path
    pattern: str = "*"
    _seen: dict[Path, tuple[int, int]] = field(default_factory=dict, init=False)
    _done: dict[Path, tuple[int, int]] = field(default_factory=dict, init=False)

    def look(self) -> Iterator[Path]:
        """Yield files whose size and time of change are those of the last look, oldest first."""
        now = {path: _mark(path) for path in self.folder.glob(self.pattern) if _deliverable(path)}
        found = [p for p, mark in now.items() if self._seen.get(p) == mark and self._done.get(p) != mark]
        self._seen = now
        yield from sorted(found, key=lambda path: (now[path][1], path.name))

    def done(self, path: Path) -> None:
        """Note that a file needs no more attention until it changes."""
        self._done[path] = self._seen[path]


def _deliverable(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".")


def _mark(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (-1, -1)  # gone meanwhile: it equals no file that is there
    return (found.st_size, found.st_mtime_ns)
