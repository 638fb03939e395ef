"""Third stage: was the newest version in the copy the newest there was?

``heads.json`` names the newest ``heads`` entry of the log and proves, for each record of the copy, which
version stood in its tree. Rules kept here:

* The root comes from the body of the entry itself, never from ``heads.json``.
* A heads entry on the log without its proofs in the copy is a finding: leaving them out would hide what
  they show.
* What came after the heads is said not to be proven by them.
"""

from __future__ import annotations

from typing import Any, Final

from coverslip.ledger import canonical, heads
from coverslip.ledger.failure import CanonicalError, LedgerError
from coverslip.ledger.heads import HeadProof, Heads
from coverslip.verifier import shape
from coverslip.verifier.history import Stream, VersionLine
from coverslip.verifier.opening import Opened
from coverslip.verifier.report import BundleError, Report
from coverslip.verifier.walk import Walked

MEMBER: Final = "heads.json"
MAX_SIZE: Final = 64 * 1024 * 1024


def compare(opened: Opened, walked: Walked, streams: list[Stream], report: Report) -> None:
    """Compare the records of the copy with the newest heads entry of its log."""
    if walked.heads is None:
        if MEMBER in opened.container.by_name:
            report.add(MEMBER, "proofs of heads, and no heads entry is on the log")
        report.not_proven.append(
            "No heads entry is on this log: that versions here are the newest rests on the whole log up to"
            " its checkpoint."
        )
        return
    index, text = walked.heads
    before = report.found
    try:
        said = Heads.parse(canonical.decode(text.encode()))
        if said.tree_size > index:
            raise BundleError("describes a larger tree than the one before it")
    except (LedgerError, BundleError, AttributeError) as error:
        report.add("bodies", f"heads that cannot be read: {error}", entry=index, field="detail")
        return
    proofs = _proofs(opened, index, said, report)
    covered = sum(_covered(stream, said, proofs, index, report) for stream in streams)
    if report.found == before:
        report.holds.append(
            f"The heads entry {index} covers the first {said.tree_size} entries: the newest versions that"
            f" {covered} records of this copy had then are here."
        )
        later = sum(1 for one in streams if one.versions and one.versions[-1].index >= said.tree_size)
        report.not_proven.append(
            f"The heads say nothing of entries from index {said.tree_size} on ({later} records of this copy"
            " have later versions): those rest on the log up to its checkpoint, and what came after the"
            " checkpoint is not known."
        )


def _proofs(opened: Opened, index: int, said: Heads, report: Report) -> dict[str, HeadProof]:
    found: dict[str, HeadProof] = {}
    if MEMBER not in opened.container.by_name:
        report.add(MEMBER, f"the log has a heads entry at {index}, and the copy no proofs of it", entry=index)
        return found
    try:
        data = opened.container.whole(MEMBER, MAX_SIZE)
        value = shape.keys(MEMBER, canonical.decode(data), "entry heads proofs")
        if (value["entry"], value["heads"]) != (index, said.value()):
            raise BundleError(f"is not of the newest heads entry of the log, {index}, or says another root")
        for item in shape.array("proofs", value["proofs"]):
            one = HeadProof.parse(shape.mapping("proof", item))
            heads.verify(one, said)
            found[one.head.record] = one
    except (BundleError, CanonicalError, LedgerError) as error:
        report.add(MEMBER, str(error), entry=index)
    return found


def _covered(stream: Stream, said: Heads, proofs: dict[str, HeadProof], index: int, report: Report) -> bool:
    """Judge one record; true where the heads cover a version of it."""
    newest = _newest(stream, said.tree_size)
    proof = proofs.get(stream.id)
    where: dict[str, Any] = {"entry": index, "record": stream.label}
    if proof is None:
        if newest is not None:
            report.add(MEMBER, "no proof which version of this record was the newest", **where)
        return False
    if newest is None or newest.version < proof.head.version:
        report.add(
            MEMBER,
            f"version {proof.head.version} was the newest then; the copy has"
            f" {'no version' if newest is None else f'version {newest.version}'} of that time",
            **where,
        )
    elif (newest.version, newest.hash) != (proof.head.version, proof.head.leaf_hash.hex()):
        report.add(MEMBER, f"the heads have another version {proof.head.version} of this record", **where)
    return True


def _newest(stream: Stream, size: int) -> VersionLine | None:
    return next((one for one in reversed(stream.versions) if one.index < size), None)
