"""Changes of the log's key, followed from the keys that the user trusts.

Rules kept here:

* A statement that old and new key signed proves itself: it is looked for before the log is walked, because
  the checkpoint may need the key it names; afterwards it must stand on the log as a ``keys`` entry.
* Trust goes forward only, from the old key to the new one, and each key counts for its own sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coverslip.ledger import note, rotation
from coverslip.ledger.rotation import Rotation
from coverslip.verifier import sections, shape
from coverslip.verifier.anchors import Anchor
from coverslip.verifier.keys import NoteKey, Trust
from coverslip.verifier.opening import MAX_NOTE, Opened
from coverslip.verifier.report import BundleError, Report

_MARK = rotation.HEADER.encode()


def learn(opened: Opened, trust: Trust) -> tuple[Trust, list[Rotation]]:
    """Return trust with the successors of trusted keys, and the changes that lead to them."""
    known = [one.key for one in trust.named(opened.manifest.log)]
    if _signers(opened) & {one.key_id for one in known}:
        return trust, []  # nothing to learn: the bodies need not be read twice
    found = rotation.succeed(known, _statements(opened), NoteKey)
    fresh = [one for one in found if not trust.knows(one.new.name, one.new.key_id)]
    return trust.plus(one.new for one in fresh), found


def _signers(opened: Opened) -> set[int]:
    """Return the ids of the keys that signed the bundle's checkpoint, as far as it can be read."""
    try:
        return {one.key_id for one in note.parse(opened.container.whole("checkpoint", MAX_NOTE)).signatures}
    except (BundleError, note.NoteError):
        return set()


def entered(
    index: int, detail: Mapping[str, Any], log: str, before: Sequence[tuple[int, Rotation]]
) -> Rotation:
    """Return the change that a ``keys`` entry at a tree index states. Raises BundleError where it is none."""
    try:
        made = rotation.opened(str(detail.get("statement", "")).encode("utf-8", "replace"), NoteKey)
    except note.NoteError as error:
        raise BundleError(f"the change of key does not hold: {error}") from None
    if made.last.origin != log or made.last.size > index:
        raise BundleError("a change of key of another log, or after a tree larger than the one before it")
    if before and (made.old != before[-1][1].new or made.last.size < before[-1][1].last.size):
        raise BundleError("a change of key that does not go on from the one before it")
    return made


def compare(
    followed: Sequence[Rotation],
    on_log: Sequence[tuple[int, Rotation]],
    report: Report,
) -> None:
    """Find what was followed and does not stand on the log; say what holds."""
    known = [made for _, made in on_log]
    for one in followed:
        if one not in known:
            report.add("bodies", f"the change of key to {one.new.key_id:08x} is not an entry of the log")
    if on_log and not report.found:
        said = ", ".join(f"entry {n}: {o.old.key_id:08x} to {o.new.key_id:08x}" for n, o in on_log)
        report.holds.append(f"Every change of the log's key is stated by the old key and the new ({said}).")


def insist_in_time(
    signed: Iterable[Anchor],
    on_log: Sequence[tuple[int, Rotation]],
    report: Report,
) -> None:
    """Find checkpoints signed by a key that signs no tree of their size."""
    held = [one for _, one in on_log]
    for one in signed:
        size = one.checkpoint.size
        for key_id in one.signers:
            if not rotation.allowed(held, key_id, size):
                what = f"{size} entries are signed by the key {key_id:08x}, which signs no such tree"
                report.add(one.source, what)


def _statements(opened: Opened) -> list[bytes]:
    found = []
    for path in sorted(p for p in opened.container.by_name if p.startswith("bodies/")):
        try:
            found += [one for line in _lines(opened, path) if _MARK in line for one in _stated(line)]
        except BundleError:
            continue  # the walk reads the same bytes and says what is wrong with them
    return found


def _lines(opened: Opened, path: str) -> Iterable[bytes]:
    rest = b""
    for piece in opened.container.pieces(path):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > sections.MAX_LINE:
            return


def _stated(line: bytes) -> Iterable[bytes]:
    _, stored = sections.from_line(line)
    if "detail" in stored:
        value = shape.load(stored["detail"].text.encode("utf-8", "replace"))
        if isinstance(value, dict) and isinstance(value.get("statement"), str):
            yield value["statement"].encode("utf-8", "replace")
