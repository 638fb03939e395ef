"""What a copy carries of anchors: chosen while the entries go by, read when they have.

Rules kept here:

* For each entry of the records asked for, the newest timestamp that a heartbeat before it names, and the
  first timestamp over a checkpoint that covers it; of each witness the newest cosigned checkpoint.
* Nothing that is larger than the copy's own checkpoint: it would look like a rollback.
* The home's own list of checkpoints is carried by its end only: it grows for ever and proves nothing alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from coverslip.ledger import canonical, leaf
from coverslip.ledger.failure import LedgerError

TAIL: Final = 128 * 1024
FOLDER: Final = "anchors/timestamps/"


class Times(Protocol):
    """What is kept of anchors."""

    def stamps(self) -> list[tuple[int, str]]:
        """Return (size, SHA-256 in hex) of every timestamp, by size."""
        ...

    def stamp(self, size: int, digest: str) -> tuple[bytes, bytes]:
        """Return a timestamp and the note it is about."""
        ...

    def cosigned(self, size: int) -> list[bytes]:
        """Return the newest cosigned note of at most ``size`` entries of each witness."""
        ...


class Surroundings(Mapping[str, bytes]):
    """Members under ``anchors/``; to be looked at when all entries have gone by."""

    def __init__(self, size: int, own: Path, times: Times | None, fixed: Mapping[str, bytes]) -> None:
        """``size`` is of the copy's checkpoint, ``own`` the home's list, ``fixed`` members known before."""
        self._size, self._own, self._times, self._fixed = size, own, times, fixed
        self._beats: list[tuple[int, str]] = []
        self._entries: list[int] = []
        self._made: dict[str, bytes] | None = None

    def wants(self, index: int, parsed: leaf.Leaf, sections: Mapping[str, tuple[bytes, bytes]]) -> bool:
        """Whether an entry's body must be in the copy: a heartbeat that is the first to name its token."""
        if parsed.type != "heartbeat" or "detail" not in sections:
            return False
        try:
            detail: Any = canonical.decode(sections["detail"][1])
        except LedgerError:
            return False
        token = detail.get("token") if isinstance(detail, dict) else None
        if not isinstance(token, str) or (self._beats and self._beats[-1][1] == token):
            return False
        self._beats.append((index, token))
        return True

    def passes(self, index: int) -> None:
        """Note an entry of the records asked for."""
        self._entries.append(index)

    def __getitem__(self, path: str) -> bytes:
        return self._members()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members())

    def __len__(self) -> int:
        return len(self._members())

    def _members(self) -> dict[str, bytes]:
        if self._made is None:
            self._made = {**self._fixed, **self._stamps(), **self._cosigned(), **self._list()}
        return self._made

    def _stamps(self) -> dict[str, bytes]:
        if self._times is None:
            return {}
        known = [(size, digest) for size, digest in self._times.stamps() if size <= self._size]
        by_digest = {digest: size for size, digest in known}
        wanted: set[tuple[int, str]] = set()
        for index in self._entries:
            before = [one for _, one in self._beats[: bisect_left(self._beats, (index,))] if one in by_digest]
            wanted |= {(by_digest[one], one) for one in before[-1:]}
            wanted |= set(known[(at := bisect_left(known, (index + 1,))) : at + 1])
        made = {}
        for size, digest in sorted(wanted):
            name = f"{FOLDER}{size:012d}-{digest[:8]}"
            made[f"{name}.tsr"], made[f"{name}.note"] = self._times.stamp(size, digest)
        return made

    def _cosigned(self) -> dict[str, bytes]:
        notes = [] if self._times is None else self._times.cosigned(self._size)
        return {f"anchors/witness-{n}": one for n, one in enumerate(notes, 1)}

    def _list(self) -> dict[str, bytes]:
        if not self._own.exists():
            return {}
        with open(self._own, "rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - TAIL))
            data = file.read()
        notes = data.split(b"\n\n")
        pairs = [
            (notes[n], notes[n + 1]) for n in range(len(notes) - 1) if notes[n + 1].startswith("— ".encode())
        ]
        kept = [text + b"\n\n" + seal.strip(b"\n") + b"\n" for text, seal in pairs if self._covers(text)]
        return {"anchors/file": b"\n".join(kept)} if kept else {}

    def _covers(self, text: bytes) -> bool:
        lines = text.strip(b"\n").split(b"\n")
        return len(lines) == 3 and lines[1].isdigit() and int(lines[1]) <= self._size
