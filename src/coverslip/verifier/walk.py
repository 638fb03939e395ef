"""Second stage: one walk over all leaves and bodies together, in tree order.

Memory holds the latest version of each stream and what is in scope, never the log.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint, CheckpointError
from coverslip.ledger.leaf import LeafError, parse
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


def read_checkpoint(opened: Opened, trust: Trust, report: Report) -> Checkpoint | None:
    """Return the bundle's checkpoint if the log's key signed it and the manifest names the same."""
    manifest = opened.manifest
    try:
        sealed = note.parse(opened.container.whole("checkpoint", MAX_NOTE))
        note.verify(sealed, trust.named(manifest.log))
        checkpoint = Checkpoint.parse(sealed.text)
    except (BundleError, note.NoteError, CheckpointError) as error:
        report.add("checkpoint", str(error))
        return None
    if checkpoint.origin != manifest.log:
        report.add("checkpoint", f"is of the log {checkpoint.origin}, the manifest names {manifest.log}")
    if (checkpoint.size, checkpoint.root.hex()) != (manifest.size, manifest.root):
        report.add("checkpoint", "size or root differ from those in the manifest")
    return checkpoint


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
        frontier, chains = Frontier(), leaves.Chains()
        bodies = self._bodies()
        body = next(bodies, None)
        if 0 in self._sizes:
            result.roots[0] = EMPTY_ROOT
        for index, data, digest in self._leaves(frontier):
            stored: dict[str, Stored] = {}
            has_body = body is not None and body[0] == index
            if body is not None and has_body:
                stored = body[1]
                body = next(bodies, None)
            try:
                line = leaves.line(data)
                self._chain(index, line, digest, chains)
                if line.type == "heads":
                    result.heads = (index, stored["detail"].text if "detail" in stored else "")
                if has_body or judge.wants(line.type, line.kind, line.id, line.about):
                    yield from judge.take(index, digest, parse(data), stored)
            except LeafError as error:
                self._report.add("leaves.bin", str(error), entry=index)
                continue
            if index + 1 in self._sizes:
                result.roots[index + 1] = frontier.root()
                result.times[index + 1] = line.at
        if body is not None:
            self._report.add(sections.path_of(body[0]), "a body of no entry of the log", entry=body[0])
        judge.finish()
        result.size, result.streams = frontier.size, len(chains)
        result.roots[frontier.size] = frontier.root()

    def result(self) -> Walked:
        """Return what the walk found; call when its rows are exhausted."""
        return self._result

    def _leaves(self, frontier: Frontier) -> Iterator[tuple[int, bytes, bytes]]:
        try:
            for index, data in enumerate(leaves.split(self._opened.container.pieces("leaves.bin"))):
                digest = leaf_hash(data)
                frontier.append(digest)
                yield index, data, digest
        except BundleError as error:
            self._report.add("leaves.bin", str(error), entry=frontier.size)

    def _chain(self, index: int, line: leaves.Line, digest: bytes, chains: leaves.Chains) -> None:
        if line.log != self._opened.manifest.log:
            self._report.add("leaves.bin", f"the leaf is of the log {line.log}", entry=index, field="log")
        for sentence in chains.add(line, digest):
            self._report.add("leaves.bin", sentence, entry=index, field="record")
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
                "bodies", f"the signer was shown a checkpoint of size {claim.size} that this log never had",
                entry=claim.entry, record=claim.record, field="signature.checkpoint",
            )  # fmt: skip
