"""Third stage: what people read must be what the log says, byte for byte.

``trail.*``, ``records/*.json`` and ``index.html`` are written again from the bodies and compared;
original files are compared with the hashes their records name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from coverslip.verifier import page, rendering, rows
from coverslip.verifier.history import Stream, member_files
from coverslip.verifier.opening import Opened
from coverslip.verifier.report import BundleError, Report
from coverslip.verifier.rows import Row
from coverslip.verifier.sections import FileItem
from coverslip.verifier.walk import Walked
from coverslip.verifier.zipread import Container


class Expected:
    """Compares a member with bytes that arrive piece by piece."""

    def __init__(self, container: Container, path: str) -> None:
        self._pieces = container.pieces(path)
        self._rest = b""
        self.same = True

    def feed(self, data: bytes) -> bool:
        """Take the bytes that must come next; return whether all were there so far."""
        while self.same and data:
            if not self._rest:
                self._rest = self._next()
            count = min(len(self._rest), len(data))
            self.same = count > 0 and self._rest[:count] == data[:count]
            self._rest, data = self._rest[count:], data[count:]
        return self.same

    def end(self) -> bool:
        """Return whether the member was exactly what was fed."""
        self.same = self.same and not self._rest and not self._next()
        return self.same

    def _next(self) -> bytes:
        try:
            return next(self._pieces, b"")
        except BundleError:
            return b""


def compare_trail(opened: Opened, walked_rows: Iterable[Row], report: Report) -> int:
    """Compare both trails with the rows the log gives; return the number of rows."""
    as_json = Expected(opened.container, "trail.json")
    as_csv = Expected(opened.container, "trail.csv")
    as_csv.feed(rows.csv_head())
    count, lead = 0, b"[\n"
    for row in walked_rows:
        for path, one, data in (
            ("trail.json", as_json, lead + rows.json_row(row)), ("trail.csv", as_csv, rows.csv_row(row)),
        ):  # fmt: skip
            if one.same and not one.feed(data):
                report.add(path, "differs from the log", entry=row.index, record=row.record, field=row.field)
        count, lead = count + 1, b",\n"
    as_json_was, as_csv_was = as_json.same, as_csv.same
    as_json.feed(b"\n]\n" if count else b"[\n]\n")
    for path, one, was in (("trail.json", as_json, as_json_was), ("trail.csv", as_csv, as_csv_was)):
        if was and not one.end():
            report.add(path, "has other rows at its end than the log")
    return count


def compare_scope(opened: Opened, walked: Walked, report: Report) -> list[Stream]:
    """Compare the manifest's list of records with the log; return their streams in its order."""
    found = []
    scope = opened.manifest.scope
    for record in scope.records:
        stream = walked.judge.history.streams.get(record.id)
        if stream is None or not stream.versions:
            report.add("manifest.json", "the record is not in the log", record=record.label)
            continue
        if stream.kind != record.kind or stream.label not in ("", record.label):
            report.add("manifest.json", f"is {stream.kind} {stream.label} in the log", record=record.label)
        stream.label = record.label
        found.append(stream)
    withheld = [one.number for one in scope.withheld if "/" not in one.number]
    if scope.requested != len(scope.records) + len(withheld):
        report.add("manifest.json", "the counts requested, included and withheld do not agree", field="scope")
    if opened.manifest.record not in [*withheld, *(record.label for record in scope.records)]:
        report.add(
            "manifest.json",
            f"the record asked for, {opened.manifest.record}, is neither included nor withheld",
        )
    return found


def compare_records(opened: Opened, streams: list[Stream], report: Report) -> None:
    """Compare ``records/*.json`` and ``index.html`` with what the log gives."""
    expected = {f"records/{stream.label}.json": stream for stream in streams}
    present = {path for path in opened.container.by_name if path.startswith("records/")}
    for path in sorted(present - expected.keys()):
        report.add(path, "is of no record in scope")
    for path, stream in expected.items():
        one = Expected(opened.container, path)
        if not (one.feed(rendering.record_json(opened.manifest.log, stream)) and one.end()):
            report.add(path, "is missing or differs from the log", record=stream.label)
    shown = Expected(opened.container, "index.html")
    for piece in page.pieces(opened.manifest, streams, _trail_rows(opened.container)):
        shown.feed(piece)
    if not shown.end():
        report.add("index.html", "is missing or differs from the log")


def _trail_rows(container: Container) -> Iterator[Row]:
    """Yield the rows of ``trail.json``, which was found equal to the log's before."""
    rest = b""
    for piece in container.pieces("trail.json"):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line not in (b"[", b"]"):
                yield Row(**json.loads(line.removesuffix(b",")))


def compare_files(opened: Opened, streams: list[Stream], report: Report) -> tuple[int, int]:
    """Compare original files with their records; return how many hold and how many are not in the copy."""
    scope = opened.manifest.scope
    withheld = {one.number for one in scope.withheld}
    expected = {path: (stream, *kept) for stream in streams for path, kept in member_files(stream).items()}
    for path in sorted(p for p in opened.container.by_name if p.startswith("files/")):
        if path not in expected:
            report.add(path, "is a file of no record in scope")
    held = absent = 0
    for path, (stream, item, _) in sorted(expected.items()):
        if path in opened.digests:
            held += _same_file(opened, path, item, stream, report)
        elif path in opened.container.by_name:
            continue  # its hash is not the manifest's: found before
        elif scope.complete and f"{stream.label}/{item.path}" not in withheld:
            report.add(path, "the original file is missing", record=stream.label, field="files")
        else:
            absent += 1
    return held, absent


def _same_file(opened: Opened, path: str, item: FileItem, stream: Stream, report: Report) -> bool:
    digest = opened.digests[path]
    if (digest.size, digest.sha256, digest.root) == (item.size, item.sha256, item.root):
        return True
    report.add(path, "is not the file its record names", record=stream.label, field="files")
    return False
