"""Verification of one bundle from open file to report.

Stages: opening (structure, manifest, hashes), walk (log and bodies), outputs (what people read),
anchors. Later stages run only on what earlier ones found readable, and are said to be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from coverslip.ledger.leaf import parse_time
from coverslip.ledger.rotation import Rotation
from coverslip.verifier import anchors as anchoring, heads, outputs, rotations, stamps as stamping
from coverslip.verifier.anchors import Anchor
from coverslip.verifier.certificates import Certificate
from coverslip.verifier.history import Stream
from coverslip.verifier.judge import Judge
from coverslip.verifier.keys import Trust
from coverslip.verifier.opening import MAX_NOTE, Opened, open_bundle
from coverslip.verifier.report import EVALUATION_NOTICE, BundleError, Report
from coverslip.verifier.stamps import Stamp
from coverslip.verifier.walk import Walk, Walked, check_references, read_checkpoint
from coverslip.verifier.zipread import Container

_YEAR_9999: Final = 253_370_764_800


def verify_stream(
    stream: BinaryIO,
    trust: Trust,
    *,
    name: str = "",
    anchors: Path | None = None,
    max_age: float | None = None,
    tsa_roots: Sequence[Certificate] = (),
) -> Report:
    """Return the report on the bundle in a seekable binary stream.

    ``anchors`` is a folder (or file) of independently held checkpoints, ``max_age`` the most hours
    allowed between the last anchored entry and the export, ``tsa_roots`` the roots of timestamp authorities.
    Raises UsageError for a missing folder and OSError where the stream cannot be read.
    """
    report = Report(bundle=name)
    opened = open_bundle(Container(stream), trust, report)
    if opened is None:
        if not report.untrusted:
            report.not_proven.append("Everything else: the bundle is too damaged to judge what it says.")
        return report
    if opened.manifest.use == "evaluation":
        report.notice = EVALUATION_NOTICE
    report.incomplete = opened.manifest.scope.notice
    trust, followed = rotations.learn(opened, trust)
    given = anchoring.load(anchors, opened.manifest.log, trust, report) if anchors else []
    stamps = stamping.gather(opened, anchors, trust, tsa_roots, report)
    held = _judge(opened, trust, given, report, followed, stamps, bool(tsa_roots))
    if held and max_age is not None:
        _age(opened, held, max_age, report)
    return report


def _judge(
    opened: Opened,
    trust: Trust,
    given: list[Anchor],
    report: Report,
    followed: list[Rotation],
    stamps: list[Stamp],
    has_roots: bool,
) -> list[Anchor]:
    """Judge everything; return the independent anchors: those given, and copies cosigned by a witness."""
    own = read_checkpoint(opened, trust, report)
    checkpoint = own.checkpoint if own else None
    copies = _copies(opened, trust, report)
    before = report.found
    walk = Walk(opened, given + copies, report)
    trail = Report()
    count = outputs.compare_trail(opened, walk.rows(), trail)
    walked = walk.result()
    if checkpoint is not None:
        root = walked.roots[walked.size]
        if (checkpoint.size, checkpoint.root) != (walked.size, root):
            report.add(
                "leaves.bin",
                f"{walked.size} leaves have the root {root.hex()}; the checkpoint signs {checkpoint.size} "
                f"entries with the root {checkpoint.root.hex()}",
            )
    if not any(one.part == "leaves.bin" for one in report.findings):
        check_references(opened, walked, report)
    streams = outputs.compare_scope(opened, walked, report)
    held, absent = outputs.compare_files(opened, streams, report)
    heads.compare(opened, walked, streams, report)
    sound = report.found == before
    if sound:
        for one in trail.findings:
            report.add(one.part, one.message, entry=one.entry, record=one.record, field=one.field)
        if not trail.found:
            outputs.compare_records(opened, streams, report)
    else:
        report.not_proven.append(
            "Trail, record copies and page were not compared: the log behind them does not hold."
        )
    declared = [made for _, made in walked.judge.recoveries]
    report.notices += [f"Entry {index}: {made.sentence()}." for index, made in walked.judge.recoveries]
    independent = anchoring.compare(given, walked.size, walked.roots, "anchors", report, declared)
    inside = anchoring.compare(copies, walked.size, walked.roots, "anchors/ in the bundle", report, declared)
    if report.found == before and checkpoint is not None:
        _say_what_holds(opened, walked, count, held, report)
    if independent:
        report.holds.append(f"{independent} independently held checkpoint(s) are prefixes of this log.")
    if inside:
        report.holds.append(f"{inside} checkpoint copies inside the bundle are prefixes of this log.")
    changes = walked.judge.rotations
    rotations.compare(followed, changes, report)
    rotations.insist_in_time(given + copies + ([own] if own else []), changes, report)
    apart = given + [one for one in copies if one.cosigned]
    held_here = [one for one in apart if walked.roots.get(one.checkpoint.size) == one.checkpoint.root]
    _say_who_saw_it(held_here, trust, report)
    stamping.tell(walked, stamps, opened.manifest.use, has_roots, report)
    _say_what_is_not_proven(opened, walked, streams, held_here, absent, report)
    return apart


def _say_who_saw_it(held: list[Anchor], trust: Trust, report: Report) -> None:
    """Say which checkpoints trusted witnesses cosigned, and which witness cosigned none."""
    for name in sorted({one.name for one in trust.witnesses()}):
        seen = [(one.checkpoint.size, at) for one in held for witness, at in one.cosigned if witness == name]
        if not seen:
            report.not_proven.append(f"No checkpoint here is cosigned by the witness {name}.")
            continue
        size, at = max(seen)
        moment = datetime.fromtimestamp(min(at, _YEAR_9999), UTC).strftime("%Y-%m-%d %H:%M:%S")
        report.holds.append(
            f"The witness {name} cosigned {len(seen)} checkpoint(s) of this log, the newest over {size} "
            f"entries, seen at {moment} UTC."
        )


def _copies(opened: Opened, trust: Trust, report: Report) -> list[Anchor]:
    """Return the anchor copies inside the bundle."""
    found: list[Anchor] = []
    for path in sorted(p for p in opened.container.by_name if p.startswith("anchors/")):
        if path.endswith(".tsr"):
            continue
        try:
            found += anchoring.read(opened.container.whole(path, MAX_NOTE), path, opened.manifest.log, trust)
        except BundleError as error:
            report.add(path, str(error))
    return found


def _age(opened: Opened, given: list[Anchor], hours: float, report: Report) -> None:
    walk = Walk(opened, given, Report())
    for _ in walk.rows():
        pass
    times = walk.result().times
    newest = max(times) if times else 0
    if not newest or anchoring.too_old(times[newest], opened.manifest.exported_at, hours):
        report.undetermined.append(
            f"The newest anchor covers {newest} entries and is more than {hours:g} hours older "
            "than the export."
        )


def _say_what_holds(opened: Opened, walked: Walked, rows: int, files: int, report: Report) -> None:
    judge, counts = walked.judge, walked.judge.counts
    scope = opened.manifest.scope
    report.holds += [
        f"The log of {walked.size} entries has the root its checkpoint signs; "
        f"{walked.streams} streams are unbroken chains.",
        f"{counts.opened} body sections open their commitments; "
        f"{counts.definitions} type definitions are on the log.",
        f"{len(scope.records)} of {scope.requested} records asked for are here, "
        f"{len(scope.withheld)} withheld.",
        f"{counts.signatures} signatures hold over what they were made for, "
        f"{counts.genesis_signatures} of them in genesis.",
        f"{files} original files are bit for bit those their records name.",
        f"Trail ({rows} rows), record copies and page say what the log says.",
    ]
    if judge.counts.erased:
        report.holds.append(f"{counts.erased} sections were erased under an erasure entry of the log.")


def _say_what_is_not_proven(
    opened: Opened, walked: Walked, streams: list[Stream], given: list[Anchor], absent: int, report: Report
) -> None:
    judge, manifest = walked.judge, opened.manifest
    say = report.not_proven.append
    if given:
        newest = max(anchor.checkpoint.size for anchor in given)
        say(f"Entries after the first {newest} rest on the log's own key: no anchor given covers them.")
    else:
        say(
            "No independent anchor was given. A log rolled back or rewritten as a whole, its signer's "
            "journal included, is caught only with --anchors."
        )
    if manifest.use == "evaluation":
        say(f"Times: {EVALUATION_NOTICE}.")
    else:
        say("Times are those of the server's clock, with the offsets recorded.")
    say(
        f"That keys belong to the persons named rests on genesis ({judge.counts.genesis} entries, "
        f"{judge.enrolment.genesis_keys} founders' keys) and on those who verified "
        f"{judge.enrolment.later_keys} later keys."
    )
    say("What a signer's screen showed is on the log as a hash only; the view itself is not checked here.")
    say("Presence is not completeness: that everything done was recorded cannot be seen from a log.")
    _say_what_is_outside(judge, absent, manifest.scope.notice, report)
    if manifest.offsets:
        say(
            f"UTC offsets of signers' zones are the exporter's; "
            f"{_other_offsets(manifest.offsets, streams)} differ from the zones known here."
        )
    if "verify.pyz" in opened.container.by_name:
        say("The verify.pyz inside the bundle is a convenience; use one obtained apart from it.")


def _say_what_is_outside(judge: Judge, absent: int, notice: str, report: Report) -> None:
    counts, say = judge.counts, report.not_proven.append
    if counts.unseen or counts.unseen_erasable:
        say(
            f"{counts.unseen + counts.unseen_erasable} body sections "
            "of entries outside the scope are not here and were not seen."
        )
    else:
        say("The content of entries that have no body in the copy was not seen.")
    if counts.outside_links:
        say(f"{len(counts.outside_links)} records that are linked to are not part of this copy.")
    if absent:
        say(f"{absent} original files are not in the copy.")
    if notice:
        say(f"This copy is filtered ({notice}): what was left out was not seen.")


def _other_offsets(offsets: dict[int, str], streams: list[Stream]) -> int:
    """Return how many stated offsets differ from this machine's time zone database, where it has the zone."""
    differ = 0
    for stream in streams:
        for line in stream.signatures:
            if line.index in offsets:
                known = _offset(line.made.prepared_at, line.made.zone)
                differ += known not in ("", offsets[line.index])
    return differ


def _offset(at: str, zone: str) -> str:
    """Return the UTC offset of a zone at a time, empty where this machine does not know it."""
    try:
        found = parse_time(at).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).strftime("%z")
    except (ValueError, KeyError, OSError, OverflowError):
        return ""
    return f"{found[:3]}:{found[3:5]}"
