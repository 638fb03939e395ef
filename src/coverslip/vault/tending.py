"""Tending the vault: every object is read again within a season, and what is damaged is treated.

Rules kept here (P11-10-c.3):

* Newest first: what arrived since the last turn, then on from where the last turn ended; when the oldest is
  reached a pass is complete and the next begins. A day reads at least a sixtieth of the vault, so that a pass
  takes 60 days at most.
* Where a turn ended is taken from the last report, which is an entry of the ledger: a restart loses at most
  the turn under way.
* Every turn leaves a report, also one that found nothing. A damaged object is set aside with its bytes kept,
  a replica is used if one has the right bytes, and people are told; that is repeated until it is written.
* Reading is slowed down to a pace, so that people's work does not wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from coverslip.errors import CoverslipError
from coverslip.kernel.clock import monotonic_s
from coverslip.vault.damage import Replica
from coverslip.vault.local import LocalVault

DAYS: Final = 60
"""In how many days all of a vault is read, well within the 90 that are owed."""
LEAST_DAILY_BYTES: Final = 1 << 30
PACE_BYTES_S: Final = 64 << 20
TURN_S: Final = 2 * 3600.0
_KEPT: Final = 50

Place = tuple[int, str]
"""(modified in ns since 1970, root): the order of a pass, newest first."""
Found = tuple[int, str, int]
"""(modified in ns since 1970, root, size in bytes)."""


@dataclass(frozen=True, slots=True)
class Treated:
    """One object that did not fit, and what was done.

    ``quarantine`` is the id its bytes are kept under, ``source`` the label of the replica that put it back;
    both empty where there was nothing to move, or nothing to put back. ``tried`` says why other replicas
    were of no use.
    """

    root: str
    kind: str
    found: str
    quarantine: str = ""
    source: str = ""
    tried: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the object is there again, verified."""
        return bool(self.source) or self.kind.startswith("sidecar")

    def sentence(self) -> str:
        """Return what happened in words."""
        who = ", ".join(self.holders) or "no record"
        said = f"object {self.root[:16]}… of {who} was {self.kind}: {self.found}"
        if self.quarantine:
            said += f"; its bytes are kept in quarantine {self.quarantine}"
        if self.kind.startswith("sidecar"):
            return said + "; the object is sound and its sidecar was written anew"
        if self.source:
            return said + f"; put back from {self.source} and verified"
        return said + f"; not put back: {'; '.join(self.tried) or 'there is no replica'}"

    def value(self) -> dict[str, Any]:
        """Return this as canonical JSON values."""
        return {
            "object": self.root, "kind": self.kind, "found": self.found, "quarantine": self.quarantine,
            "put_back_from": self.source, "tried": list(self.tried), "records": list(self.holders),
        }  # fmt: skip


def treat(
    vault: LocalVault, root: str, replicas: Mapping[str, Replica], holders: Sequence[str] = ()
) -> Treated | None:
    """Hash one object; None if it fits. Else set it aside and put it back from the first right replica.

    Raises ENVIRONMENT when the vault's own disk refuses.
    """
    findings = vault.examine(root)
    if not findings:
        return None
    kinds = {one.kind for one in findings}
    worst = next((one for one in findings if not one.kind.startswith("sidecar")), findings[0])
    said = worst.found + (f" at {worst.where}" if worst.first >= 0 else "")
    if not kinds & {"damaged", "missing", "unreadable"} and vault.mend_sidecar(root):
        return Treated(root, worst.kind, said, holders=tuple(holders))
    kept = vault.set_aside(root, {"why": "damaged", "found": said, "records": list(holders)})
    source, tried = _put_back(vault, root, replicas)
    return Treated(root, worst.kind, said, kept.id if kept else "", source, tried, tuple(holders))


def _put_back(vault: LocalVault, root: str, replicas: Mapping[str, Replica]) -> tuple[str, tuple[str, ...]]:
    tried: list[str] = []
    for label, replica in replicas.items():
        try:
            vault.take_from(replica, root)
            vault.verify(root)
        except CoverslipError as error:
            tried.append(f"{label}: {error.message}"[:300])
            continue
        return label, tuple(tried)
    return "", tuple(tried)


# --- what is due --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a pass stands: ``newest`` is the newest object it has seen, ``last`` the one it read last.

    ``last`` None: the pass is complete, or none has begun.
    """

    newest: Place = (0, "")
    last: Place | None = None
    day: str = ""
    day_bytes: int = 0
    day_done: bool = False

    @classmethod
    def of(cls, report: Mapping[str, Any] | None) -> Progress:
        """Take the progress up from the last report; a malformed one begins anew."""
        if not report:
            return cls()
        try:
            newest, last = report["newest"], report.get("last")
            return cls(
                (int(newest["ns"]), str(newest["root"])),
                (int(last["ns"]), str(last["root"])) if last else None,
                str(report["day"]), int(report["day_bytes"]), bool(report["day_done"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError):
            return cls()


def due(objects: Iterable[Found], progress: Progress) -> list[Found]:
    """Return what to read, in order: what arrived since, newest first, then on from the last one read.

    Of more new objects than a day's share the rest waits for the next pass: it was read back when it came.
    """
    fresh, rest = [], []
    for one in sorted(objects, reverse=True):
        place = (one[0], one[1])
        if place > progress.newest:
            fresh.append(one)
        elif progress.last is None or place < progress.last:
            rest.append(one)
    return fresh + rest


@dataclass
class _Turn:
    """One turn of reading."""

    objects: int = 0
    bytes: int = 0
    treated: list[Treated] = field(default_factory=list)
    newest: Place = (0, "")
    last: Place | None = None
    ended: bool = False


class FixityDuty:
    """Reads a day's share of the vault again and reports; see the module for the rules."""

    name = "fixity"
    every_s = 3600.0

    def __init__(
        self,
        vault: LocalVault,
        named: Callable[[], Mapping[str, Sequence[str]]],
        replicas: Callable[[], Mapping[str, Replica]],
        last: Callable[[], Mapping[str, Any] | None],
        write: Callable[[dict[str, Any]], None],
        tell: Callable[[str, Sequence[str], str], None],
        now: Callable[[], str],
        *,
        pace_bytes_s: int = PACE_BYTES_S,
        least_daily_bytes: int = LEAST_DAILY_BYTES,
        turn_s: float = TURN_S,
    ) -> None:
        """``named``: root -> numbers of the records that name it. ``last``: the detail of the last report.

        ``write`` enters a report, ``tell(sentence, numbers, bucket)`` alerts people once per bucket, ``now``
        is the database's time.
        """
        self._vault, self._named, self._replicas = vault, named, replicas
        self._last, self._write, self._tell, self._now = last, write, tell, now
        self._pace, self._least, self._turn_s = pace_bytes_s, least_daily_bytes, turn_s
        self._wait = threading.Event()

    def do(self) -> None:
        """Read what is due today; does nothing when today's share is read."""
        self._tell_kept()
        now = self._now()
        progress, day = Progress.of(self._last()), now[:10]
        if progress.day == day and progress.day_done:
            return
        before = progress.day_bytes if progress.day == day else 0
        named = self._named()
        objects = list(self._vault.objects())
        share = max(self._least, sum(size for *_, size in objects) // DAYS)
        turn = self._read(due(objects, progress), named, share - before, progress)
        for root in sorted(named.keys() - {root for _, root, _ in objects}):
            if _is_root(root):
                self._take(turn, root)
        report = _report(turn, day, before, share, objects)
        self._write(report)
        self._tell_kept()
        for one in turn.treated:
            if not one.quarantine:
                self._tell(one.sentence(), one.holders, f"object/{one.root}/{day}")

    def _read(
        self, wanted: list[Found], named: Mapping[str, Sequence[str]], share: int, progress: Progress
    ) -> _Turn:
        turn = _Turn(newest=progress.newest, last=progress.last)
        began = monotonic_s()
        self._holders = named
        for place_ns, root, size in wanted:
            started = monotonic_s()
            if turn.bytes >= share or started - began > self._turn_s:
                turn.ended = turn.bytes >= share
                return turn
            self._take(turn, root)
            turn.objects += 1
            turn.bytes += size
            place = (place_ns, root)
            turn.newest = max(turn.newest, place)
            turn.last = place if turn.last is None else min(turn.last, place)
            self._wait.wait(max(0.0, size / self._pace - (monotonic_s() - started)))
        turn.last, turn.ended = None, True
        return turn

    def _take(self, turn: _Turn, root: str) -> None:
        found = treat(self._vault, root, self._replicas(), self._holders.get(root, ()))
        if found is not None:
            turn.treated.append(found)

    def _tell_kept(self) -> None:
        """Tell of every damaged object in quarantine; who was told already is not told again."""
        for kept in self._vault.quarantined():
            if kept.about.get("why") == "damaged":
                root = str(kept.about.get("object", ""))
                state = "is whole again" if self._vault.has(root) else "is MISSING until it is put back"
                found = kept.about.get("found", "its hash differs")
                sentence = (
                    f"Stored object {root[:16]}… was damaged ({found})."
                    f" Its bytes are kept in quarantine {kept.id}; the object {state}."
                )
                self._tell(sentence, [str(n) for n in kept.about.get("records", ())], f"object/{kept.id}")


def _is_root(name: str) -> bool:
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def _report(turn: _Turn, day: str, before: int, share: int, objects: list[Found]) -> dict[str, Any]:
    report: dict[str, Any] = {
        "day": day, "day_bytes": before + turn.bytes, "day_done": turn.ended, "day_share": share,
        "objects": turn.objects, "bytes": turn.bytes, "stored_objects": len(objects),
        "stored_bytes": sum(size for *_, size in objects), "pass_complete": turn.last is None and turn.ended,
        "newest": {"ns": str(turn.newest[0]), "root": turn.newest[1]},
        "found": len(turn.treated), "findings": [one.value() for one in turn.treated[:_KEPT]],
    }  # fmt: skip
    if turn.last is not None:
        report["last"] = {"ns": str(turn.last[0]), "root": turn.last[1]}
    return report
