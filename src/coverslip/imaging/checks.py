"""What is checked before an image is registered, as sentences a person reads.

Rules kept here:

* Pure: metadata and facts in, results out. Nothing is fetched, nothing is decided beyond the verdict.
* ``absent`` means the file cannot say; it is recorded and shown, and is never a pass. ``explained``
  is a failure a person accounted for beforehand; it is given by the caller, never here.
* A failing check carries the error code the refusal will have. Clause: 21 CFR 11.10(h), rule
  P11-10-h.1 and .2; lossy originals: IMG-8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final, Literal

from coverslip.imaging.metadata import ImageMetadata, Refusal, counted

Verdict = Literal["pass", "fail", "absent", "explained"]
TOLERANCE: Final = timedelta(minutes=10)
_STRUCTURE: Final = (
    "structure",
    "xml",
    "agrees",
    "companion",
    "checksum",
    "decodes",
    "segments",
    "extension",
)
_NEEDED: Final = (
    ("objective", "objective"),
    ("pixel_size_um", "pixel size"),
    ("channels", "channels"),
    ("exposure_ms", "exposure"),
    ("acquired_at", "acquisition time"),
    ("instrument_serial", "instrument serial number"),
)


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What is known of the sitting an image claims to come from.

    ``start`` and ``end`` carry a time zone; ``end`` is None while it runs, and ``now`` then bounds
    it. ``device_zone`` places times the file gives without a zone; ``clock_offset_s`` is how far the
    device's clock is ahead, in seconds. ``known_roots`` maps roots already registered to numbers.
    """

    session: str
    instrument: str
    serial: str
    file_root: str
    start: datetime | None = None
    end: datetime | None = None
    now: datetime | None = None
    device_zone: tzinfo | None = None
    clock_offset_s: int = 0
    known_roots: Mapping[str, str] = field(default_factory=dict)
    lossy_allowed: bool = False


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's verdict. ``code`` is an error code of the catalogue where it failed, else empty."""

    check: str
    verdict: Verdict
    sentence: str
    code: str = ""
    expected: str = ""
    found: str = ""


def ingest_checks(metadata: ImageMetadata | Refusal, facts: SessionFacts) -> list[CheckResult]:
    """Return every check's result, always in the same order.

    A file that could not be read fails ``parses``; what was then not checkable is ``absent``.
    """
    duplicate = _duplicate(facts)
    if isinstance(metadata, Refusal):
        where = f" ({metadata.where})" if metadata.where else ""
        sentence = f"The file cannot be read: expected {metadata.expected}, found {metadata.found}{where}."
        failed = CheckResult("parses", "fail", sentence, "VAL_FORM", metadata.expected, metadata.found)
        return [failed, *(_unread(name, metadata) for name in _AFTER_PARSING), duplicate]
    return [_parses(metadata), *(check(metadata, facts) for check in _AFTER_PARSING.values()), duplicate]


def _unread(check: str, refusal: Refusal) -> CheckResult:
    if check != refusal.check:
        return CheckResult(check, "absent", "Not checked, because the file cannot be read.")
    where = f"{refusal.where}: " if refusal.where else ""
    sentence = f"{where}expected {refusal.expected}, but {refusal.found}."
    return CheckResult(check, "fail", sentence, "VAL_FORM", refusal.expected, refusal.found)


def _parses(metadata: ImageMetadata) -> CheckResult:
    bad = metadata.failed(*_STRUCTURE)
    if not bad:
        sentence = f"The file reads as {metadata.format}, by {metadata.reader} {metadata.reader_version}."
        return CheckResult("parses", "pass", sentence, found=metadata.format)
    first = bad[0]
    where = f" ({first.where})" if first.where else ""
    more = f" {len(bad) - 1} more findings." if len(bad) > 1 else ""
    sentence = f"The file is not sound: expected {first.expected}, found {first.found}{where}.{more}"
    return CheckResult("parses", "fail", sentence, "VAL_FORM", first.expected, first.found)


def _complete(metadata: ImageMetadata, facts: SessionFacts) -> CheckResult:
    missing = [words for name, words in _NEEDED if not getattr(metadata, name)]
    if not missing:
        return CheckResult("complete", "pass", "The metadata names everything an acquisition must name.")
    why = f" No pixel size: {metadata.uncalibrated}." if metadata.uncalibrated else ""
    sentence = (
        f"The file does not name: {', '.join(missing)}.{why} Usable only with a documented justification."
    )
    expected = ", ".join(words for _, words in _NEEDED)
    return CheckResult("complete", "absent", sentence, "", expected, f"missing: {', '.join(missing)}")


def _serial(metadata: ImageMetadata, facts: SessionFacts) -> CheckResult:
    found, expected = metadata.instrument_serial, facts.serial
    if not found:
        sentence = (
            f"The file names no instrument serial number; it cannot show that {facts.instrument} made it."
        )
        return CheckResult("serial", "absent", sentence, "", expected, "none")
    if not facts.instrument:
        sentence = f"The file says serial {found}; no instrument is named here that it could be held against."
        return CheckResult("serial", "absent", sentence, "", "an instrument", found)
    if found.strip().casefold() == expected.strip().casefold():
        sentence = f"The file says serial {found}, which is {facts.instrument}."
        return CheckResult("serial", "pass", sentence, "", expected, found)
    sentence = f"The file says serial {found}, {facts.instrument} is {expected}; it is in quarantine."
    return CheckResult("serial", "fail", sentence, "DEVICE_MISMATCH", expected, found)


def _time(metadata: ImageMetadata, facts: SessionFacts) -> CheckResult:
    text = metadata.acquired_at
    if not text:
        return CheckResult(
            "time", "absent", "The file does not say when it was acquired.", "", "a time", "none"
        )
    if facts.start is None:
        return CheckResult(
            "time", "absent", f"{facts.session} has no start; the time was not compared.", "", "", text
        )
    at = _moment(text, facts)
    if at is None:
        sentence = (
            f"The file says {text} without a usable time zone, and none is known for {facts.instrument}."
        )
        return CheckResult("time", "absent", sentence, "", "a time with a zone", text)
    end = facts.end or facts.now
    outside = max(facts.start - at, at - end if end is not None else timedelta(0), timedelta(0))
    span = f"{_shown(facts.start)} to {_shown(end) if end else 'now'}"
    if outside <= TOLERANCE:
        sentence = f"Acquired {_shown(at)}, within {facts.session} ({span}, 10 min allowed)."
        return CheckResult("time", "pass", sentence, "", span, _shown(at))
    sentence = f"Image time is {_length(outside)} outside {facts.session}; explain or reject."
    return CheckResult("time", "fail", sentence, "VAL_RANGE", span, _shown(at))


def _length(outside: timedelta) -> str:
    """Return a length of time in the unit people would say it in, rounded up: min, h, or days."""
    minutes = -(-int(outside.total_seconds()) // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{-(-minutes // 60)} h" if minutes < 2880 else f"{-(-minutes // 1440)} days"


def _moment(text: str, facts: SessionFacts) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        if facts.device_zone is None:
            return None
        at = at.replace(tzinfo=facts.device_zone)
    return at - timedelta(seconds=facts.clock_offset_s)


def _shown(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds")


def _planes(metadata: ImageMetadata, facts: SessionFacts) -> CheckResult:
    declared, present = metadata.planes_declared, metadata.planes_present
    expected, found = counted(declared, "plane"), counted(present, "plane")
    bad = metadata.failed("planes")
    if not bad:
        return CheckResult("planes", "pass", f"In the file: {found}, as declared.", "", expected, found)
    if present < declared:
        sentence = f"The file declares {expected} and holds {present}; missing: {declared - present}."
    else:
        sentence = f"Planes do not match: expected {bad[0].expected}, found {bad[0].found}."
    return CheckResult("planes", "fail", sentence, "VAL_FORM", expected, found)


def _truncated(metadata: ImageMetadata, facts: SessionFacts) -> CheckResult:
    bad = metadata.failed("truncated")
    if not bad:
        sentence = f"All pixel data lies inside the file's {metadata.size_bytes} bytes."
        return CheckResult("truncated", "pass", sentence)
    first = bad[0]
    where = f"{first.where}: " if first.where else ""
    sentence = f"The file is cut off. {where}expected {first.expected}, but {first.found}."
    return CheckResult("truncated", "fail", sentence, "VAL_FORM", first.expected, first.found)


def _lossy(metadata: ImageMetadata, facts: SessionFacts) -> CheckResult:
    if not metadata.lossy:
        sentence = f"The pixels are stored without loss ({metadata.compression})."
        return CheckResult("lossy", "pass", sentence, "", "lossless", metadata.compression)
    if facts.lossy_allowed:
        sentence = f"Lossy original ({metadata.compression}); the method allows it. It is marked lossy."
        return CheckResult("lossy", "pass", sentence, "", "lossless or allowed", metadata.compression)
    sentence = f"The original must be kept; lossy files ({metadata.compression}) are derived."
    return CheckResult("lossy", "fail", sentence, "VAL_VOCAB", "lossless", metadata.compression)


def _duplicate(facts: SessionFacts) -> CheckResult:
    other = facts.known_roots.get(facts.file_root)
    if other is None:
        return CheckResult("duplicate", "pass", "No registered image has the same content.")
    sentence = f"The same content is already registered as {other}."
    return CheckResult("duplicate", "fail", sentence, "DUP", "new content", other)


_AFTER_PARSING: Final[Mapping[str, Callable[[ImageMetadata, SessionFacts], CheckResult]]] = {
    "complete": _complete,
    "serial": _serial,
    "time": _time,
    "planes": _planes,
    "truncated": _truncated,
    "lossy": _lossy,
}
