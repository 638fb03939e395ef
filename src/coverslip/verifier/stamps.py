"""Timestamps in a bundle, and the time sandwich they make.

A response lies in ``anchors/timestamps/<name>.tsr``, the checkpoint note it is about beside it in
``<name>.note``. Rules kept here:

* A heartbeat that names a token was entered after that token was made: what comes after the heartbeat is
  not older. A checkpoint that a token stamps was there before: what it covers is not younger.
* A token counts when a root that the user gave vouches for it; without roots it is only said what it states,
  and with which command it is checked.
* A side that is missing is said to be missing.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from coverslip.ledger.leaf import parse_time
from coverslip.verifier import anchors, timestamp
from coverslip.verifier.certificates import Certificate, UnknownAlgorithm
from coverslip.verifier.keys import Trust
from coverslip.verifier.opening import Opened
from coverslip.verifier.report import BundleError, Report
from coverslip.verifier.walk import Walked

FOLDER: Final = "anchors/timestamps/"
MAX_RESPONSE: Final = 64 * 1024
MAX_NOTE: Final = 64 * 1024
MAX_TOLD: Final = 3
TOLERANCE: Final = timedelta(seconds=60)
"""How far a server's clock and an authority's may disagree before it is said."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A token over a checkpoint: SHA-256 of the response (hex), time (UTC), and who vouches (or nobody)."""

    source: str
    digest: str
    at: datetime
    size: int
    root: bytes
    authority: str


def gather(
    opened: Opened, folder: Path | None, trust: Trust, roots: Sequence[Certificate], report: Report
) -> list[Stamp]:
    """Return the stamps of the bundle and of the user's folder; what does not hold is a finding."""
    found = []
    for source, response, note in [*_inside(opened, report), *_outside(folder, report)]:
        try:
            found.append(_stamp(source, response, note, opened.manifest.log, trust, roots))
        except UnknownAlgorithm as error:
            report.undetermined.append(f"The timestamp {source} could not be judged: {error}")
        except BundleError as error:
            report.add(source, f"the timestamp does not hold: {error}")
    return found


def _stamp(
    source: str, response: bytes, note: bytes, log: str, trust: Trust, roots: Sequence[Certificate]
) -> Stamp:
    token = timestamp.parse(response)
    if token.imprint != hashlib.sha256(note).digest():
        raise BundleError("it is about another checkpoint than the one beside it")
    (anchor,) = anchors.read(note, source, log, trust)
    name = token.insist_vouched(roots) if roots else ""
    checkpoint = anchor.checkpoint
    return Stamp(
        source, hashlib.sha256(response).hexdigest(), token.at, checkpoint.size, checkpoint.root, name
    )


def _inside(opened: Opened, report: Report) -> Iterator[tuple[str, bytes, bytes]]:
    names = opened.container.by_name
    for path in sorted(p for p in names if p.startswith(FOLDER) and p.endswith(".tsr")):
        try:
            beside = path.removesuffix(".tsr") + ".note"
            if beside not in names:
                raise BundleError("there is no checkpoint beside it")
            yield path, opened.container.whole(path, MAX_RESPONSE), opened.container.whole(beside, MAX_NOTE)
        except BundleError as error:
            report.add(path, str(error))


def _outside(folder: Path | None, report: Report) -> Iterator[tuple[str, bytes, bytes]]:
    if folder is None or not folder.is_dir():
        return
    for path in sorted(folder.rglob("*.tsr")):
        try:
            if path.stat().st_size > MAX_RESPONSE:
                raise OSError("too large for a timestamp")
            yield str(path), path.read_bytes(), path.with_suffix(".note").read_bytes()
        except OSError as error:
            report.undetermined.append(f"The timestamp {path} could not be used: {error}")


@dataclass(frozen=True, slots=True)
class Between:
    """One entry and the times around it: not older than ``first``, not younger than ``last``."""

    index: int
    at: str
    label: str
    first: datetime | None
    last: datetime | None


def between(walked: Walked, stamps: Sequence[Stamp]) -> list[Between]:
    """Return the entries of the records in the scope with the stamps around them, in tree order."""
    judge = walked.judge
    good = [one for one in stamps if walked.roots.get(one.size) == one.root]
    tokens = {one.digest: one.at for one in good}
    beats = [(index, tokens[token]) for index, token in judge.heartbeats if token in tokens]
    later = sorted((one.size, one.at) for one in good)
    found = []
    for id in sorted(judge.scope):
        stream = judge.history.streams.get(id)
        for line in stream.versions if stream else ():
            before, after = bisect_left(beats, (line.index,)), bisect_left(later, (line.index + 1,))
            first = max((at for _, at in beats[:before]), default=None)
            last = min((at for _, at in later[after:]), default=None)
            found.append(Between(line.index, line.at, stream.label if stream else "", first, last))
    return sorted(found, key=lambda one: one.index)


def tell(walked: Walked, stamps: Sequence[Stamp], use: str, has_roots: bool, report: Report) -> None:
    """Report the time sandwich: what holds, what is missing, and what contradicts it."""
    entries = between(walked, stamps)
    if not stamps:
        report.not_proven.append(
            "Age: there is no timestamp of an authority here; how old and how young the entries are rests on "
            "the server's clock."
        )
        return
    both = [one for one in entries if one.first is not None and one.last is not None]
    if both:
        _tell_both(both, len(entries), stamps, has_roots, report)
    older = sum(one.first is None for one in entries)
    younger = sum(one.last is None for one in entries)
    if older:
        report.not_proven.append(
            f"Age: {older} entries of these records have no timestamp before them: that they are not older "
            "than stated rests on the server's clock."
        )
    if younger:
        report.not_proven.append(
            f"Age: {younger} entries of these records have no timestamp after them: that they are not "
            "younger than stated rests on the server's clock."
        )
    if has_roots:
        _contradictions(entries, use, report)


def _tell_both(
    both: Sequence[Between], total: int, stamps: Sequence[Stamp], has_roots: bool, report: Report
) -> None:
    firsts, lasts = [o.first for o in both if o.first], [o.last for o in both if o.last]
    widest = max(last - first for first, last in zip(firsts, lasts, strict=True))
    said = (
        f"{len(both)} of {total} entries of these records entered the log between two timestamps: none is "
        f"older than {min(firsts)} UTC, none younger than {max(lasts)} UTC; the widest pair is {widest} apart"
    )
    if has_roots:
        names = ", ".join(sorted({one.authority for one in stamps}))
        report.holds.append(f"Time sandwich: {said}; by {names}.")
        return
    name = stamps[0].source.removesuffix(".tsr")
    report.not_proven.append(
        f"Time sandwich: {said}, if the {len(stamps)} tokens are the authority's. Not proven here, because "
        "no roots were given: give --tsa-roots, or check each with 'openssl ts -verify -data "
        f"{name}.note -in {name}.tsr -CAfile ROOTS.pem'."
    )


def _contradictions(entries: Sequence[Between], use: str, report: Report) -> None:
    told = 0
    for one in entries:
        at = parse_time(one.at).replace(tzinfo=None)
        if one.first is not None and at < one.first - TOLERANCE:
            said = f"states {one.at}, but entered the log after {one.first} UTC"
        elif one.last is not None and at > one.last + TOLERANCE:
            said = f"states {one.at}, but was in the log before {one.last} UTC"
        else:
            continue
        if use == "regulated":
            report.add("leaves.bin", said, entry=one.index, record=one.label, field="at")
        elif told < MAX_TOLD:
            report.not_proven.append(f"Times: entry {one.index} of {one.label} {said}.")
        told += 1
    if use != "regulated" and told > MAX_TOLD:
        report.not_proven.append(f"Times: {told - MAX_TOLD} more entries state times outside their stamps.")
