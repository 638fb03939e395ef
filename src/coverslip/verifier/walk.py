"""Second stage: one walk over all leaves and bodies together, in tree order.

Memory holds the latest version of each stream and what is in scope, never the log.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Final

from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint, CheckpointError
from coverslip.ledger.forms import MAX_FORMS, Form, Seen
from coverslip.ledger.leaf import LeafError, parse
from coverslip.ledger.order import TimeOrder
from coverslip.ledger.tree import EMPTY_ROOT, Frontier, leaf_hash
from coverslip.verifier import leaves, sections
from coverslip.verifier.anchors import Anchor
from coverslip.verifier.judge import Judge
from coverslip.verifier.keys import Trust
from coverslip.verifier.opening import MAX_NOTE, Opened
from coverslip.verifier.report import BundleError, Report
from coverslip.verifier.rows import Row
from coverslip.verifier.sections import Stored

Body = tuple[int, dict[str, Stored]]
_OTHER: Final = ("session", "installation")
_USUAL: Final = ("record", "session", "heartbeat", "view", "refusal", "export")
"""Types of entry that are judged only where their record is in the scope."""


@dataclass(slots=True)
class Walked:
    """What the walk leaves behind. ``roots`` maps tree sizes asked for to roots; ``heads`` are tree index
    and detail (text, empty where it is not in the copy) of the newest heads entry."""

    judge: Judge
    size: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)
    times: dict[int, str] = field(default_factory=dict)
    streams: int = 0
    heads: tuple[int, str] | None = None


def read_checkpoint(opened: Opened, trust: Trust, report: Report) -> Anchor | None:
    """Return the bundle's checkpoint if the log's key signed it and the manifest names the same."""
    manifest = opened.manifest
    try:
        sealed = note.parse(opened.container.whole("checkpoint", MAX_NOTE))
        signers = tuple(one.key_id for one in note.verify(sealed, trust.named(manifest.log)))
        checkpoint = Checkpoint.parse(sealed.text)
    except (BundleError, note.NoteError, CheckpointError) as error:
        report.add("checkpoint", str(error))
        return None
    if checkpoint.origin != manifest.log:
        report.add("checkpoint", f"is of the log {checkpoint.origin}, the manifest names {manifest.log}")
    if (checkpoint.size, checkpoint.root.hex()) != (manifest.size, manifest.root):
        report.add("checkpoint", "size or root differ from those in the manifest")
    return Anchor("checkpoint", checkpoint, signers)


class _Quiet:
    """Whether a leaf that follows its stream asks for nothing more: outside the scope, of a usual kind."""

    def __init__(self, opened: Opened) -> None:
        self._log = opened.manifest.log
        self._scope = {record.id.encode() for record in opened.manifest.scope.records}
        self._forms: dict[Form, bool] = {}

    def __call__(self, seen: Seen) -> bool:
        form = seen[0]
        usual = self._forms.get(form)
        if usual is None:
            usual = form.log == self._log and form.type in _USUAL and form.kind != "user"
            if len(self._forms) >= MAX_FORMS:
                self._forms.clear()
            usual = self._forms[form] = usual and "about.id" not in form.names
        return usual and seen[2] not in self._scope


class Walk:
    """Reads ``leaves.bin`` and ``bodies/`` side by side."""

    def __init__(self, opened: Opened, anchors: list[Anchor], report: Report) -> None:
        self._opened = opened
        self._report = report
        self._sizes = {anchor.checkpoint.size for anchor in anchors}
        self._result = Walked(Judge(opened.manifest, report))
        self._genesis_over = False

    def rows(self) -> Iterator[Row]:
        """Walk, judging every entry, and yield the trail's rows."""
        judge, result = self._result.judge, self._result
        chains, lines = leaves.Chains(), leaves.Lines()
        see, follow, quiet = lines.see, chains.follow, _Quiet(self._opened)
        bodies = self._bodies()
        body = next(bodies, None)
        if 0 in self._sizes:
            result.roots[0] = EMPTY_ROOT
        order = TimeOrder()
        later = order.later
        for index, data, digest in self._leaves():
            seen = see(data)
            if seen is None or not later(seen[1]):
                order.see(index, data)
            held = seen is not None and follow(seen, digest)
            has_body = body is not None and body[0] == index
            if seen is not None and held and not has_body and self._genesis_over and quiet(seen):
                if index + 1 in self._sizes:
                    result.times[index + 1] = seen[1].decode()
                continue
            stored: dict[str, Stored] = {}
            if body is not None and has_body:
                stored = body[1]
                body = next(bodies, None)
            try:
                line = lines.parsed(data) if seen is None else leaves.seen_line(seen, data)
                if not held:
                    for sentence in chains.add(line, digest):
                        self._report.add("leaves.bin", sentence, entry=index, field="record")
                self._place(index, line)
                if line.type == "heads":
                    result.heads = (index, stored["detail"].text if "detail" in stored else "")
                if has_body or judge.wants(line.type, line.kind, line.id, line.about):
                    yield from judge.take(index, digest, parse(data), stored)
            except LeafError as error:
                self._report.add("leaves.bin", str(error), entry=index)
                continue
            if index + 1 in self._sizes:
                result.times[index + 1] = line.at
        if body is not None:
            self._report.add(sections.path_of(body[0]), "a body of no entry of the log", entry=body[0])
        for run in order.found():
            if run.explained:
                self._report.notices.append(f"Entries {run.first} to {run.last}: {run.sentence()}.")
            else:
                self._report.add("leaves.bin", run.sentence(), entry=run.first, field="at")
        judge.finish()
        result.streams = len(chains)

    def result(self) -> Walked:
        """Return what the walk found; call when its rows are exhausted."""
        return self._result

    def _leaves(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield index, bytes and hash of every leaf; keep the roots of the sizes asked for."""
        result, frontier, sha = self._result, Frontier(), sha256
        sizes = sorted(self._sizes - {0}, reverse=True)
        try:
            for some in leaves.pieces(self._opened.container.pieces("leaves.bin")):
                digests = [sha(b"\x00" + data).digest() for data in some]
                start, done = frontier.size, 0
                while sizes and sizes[-1] <= start + len(digests):
                    upto = sizes[-1] - start
                    frontier.extend(digests[done:upto])
                    result.roots[sizes.pop()], done = frontier.root(), upto
                frontier.extend(digests[done:])
                yield from zip(count(start), some, digests, strict=False)
        except BundleError as error:
            self._report.add("leaves.bin", str(error), entry=frontier.size)
        result.size = frontier.size
        result.roots[frontier.size] = frontier.root()

    def _place(self, index: int, line: leaves.Line) -> None:
        if line.log != self._opened.manifest.log:
            self._report.add("leaves.bin", f"the leaf is of the log {line.log}", entry=index, field="log")
        if line.type == "genesis":
            if self._genesis_over:
                self._report.add(
                    "leaves.bin", "an entry of genesis after genesis was over", entry=index, field="type"
                )
        elif not self._genesis_over and line.kind not in _OTHER:
            self._genesis_over = True
            self._result.judge.end_genesis()

    def _bodies(self) -> Iterator[Body]:
        last = -1
        for path in sorted(p for p in self._opened.container.by_name if p.startswith("bodies/")):
            for line in self._lines(path):
                try:
                    index, stored = sections.from_line(line)
                except BundleError as error:
                    self._report.add(path, str(error))
                    continue
                if index <= last or sections.path_of(index) != path:
                    self._report.add(path, "the line is out of its place", entry=index)
                    continue
                last = index
                yield index, stored

    def _lines(self, path: str) -> Iterator[bytes]:
        rest = b""
        try:
            for piece in self._opened.container.pieces(path):
                *whole, rest = (rest + piece).split(b"\n")
                yield from whole
                if len(rest) > sections.MAX_LINE:
                    raise BundleError(f"a line of more than {sections.MAX_LINE} bytes")
            if rest:
                raise BundleError("the last line does not end")
        except BundleError as error:
            self._report.add(path, str(error))


def check_references(opened: Opened, walked: Walked, report: Report) -> None:
    """Find pinned versions and the checkpoints signers were shown in the log, by a second, shorter walk."""
    judge = walked.judge
    pins = {pin.hash for pin in judge.pins}
    sizes = {claim.size for claim in judge.claims}
    last = max(sizes, default=0)
    roots = {0: EMPTY_ROOT.hex()}
    found: dict[str, tuple[str, int]] = {}
    frontier = Frontier()
    if not pins and not sizes:
        return
    for data in leaves.split(opened.container.pieces("leaves.bin")):
        digest = leaf_hash(data)
        frontier.append(digest)
        if frontier.size in sizes:
            roots[frontier.size] = frontier.root().hex()
        if digest.hex() in pins:
            line = leaves.line(data)
            found[digest.hex()] = (line.id, line.ver)
        if frontier.size >= last and len(found) == len(pins):
            break
    for pin in judge.pins:
        if found.get(pin.hash) != (pin.id, pin.version):
            report.add(
                "bodies",
                f"links to version {pin.version} of {pin.id}, which is not in the log under the hash given",
                entry=pin.entry, record=pin.record, field=pin.field,
            )  # fmt: skip
    for claim in judge.claims:
        root = roots.get(claim.size, "")
        if claim.size > claim.entry or not hmac.compare_digest(root, claim.root):
            report.add(
                "bodies", f"{claim.what} a checkpoint of size {claim.size} that this log never had",
                entry=claim.entry, record=claim.record, field=claim.field,
            )  # fmt: skip
