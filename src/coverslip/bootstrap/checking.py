"""Checking: what an operator asks of an installation's evidence, without going through the server.

Rules kept here: every check reads with the least role that can; "could not check" is an error, never
an empty list of findings.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from coverslip.bootstrap import anchors as anchoring, damage, wiring
from coverslip.bootstrap.doctor import doctor as doctor
from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.kept import kept_notes
from coverslip.bootstrap.migrating import require_schema
from coverslip.bootstrap.quarantine import contradiction, kept_here
from coverslip.bootstrap.recovering import recoveries
from coverslip.bootstrap.signing import open_signer
from coverslip.bootstrap.tending import vault_check as vault_check
from coverslip.errors import EvidenceBroken, NotFound
from coverslip.kernel.projecting import project
from coverslip.ledger import canonical, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.ledger.tree import inclusion_proof
from coverslip.settings import Home
from coverslip.store import check_keys, fingerprint_log, memory, startup
from coverslip.store.alarms import alarmed
from coverslip.store.anchors import FileAnchor, read_file_anchor
from coverslip.store.definitions import told
from coverslip.store.findings import Report
from coverslip.store.gaps import gaps
from coverslip.store.refusals import readable
from coverslip.store.replay import Projector, replay
from coverslip.store.sections import sections_of
from coverslip.store.signer import read_journal
from coverslip.store.verify import verify_ledger

Outcome = tuple[list[dict[str, Any]], dict[str, int]]


def _outcome(report: Report) -> Outcome:
    findings = [
        {
            "what": f.kind,
            "entry": f.entry_id if f.index is None else f.index,
            **f.value(),
            "sentence": f.sentence(),
        }
        for f in report.findings
    ]
    return findings, dict(report.counts)


def ledger_status(root: Path) -> dict[str, Any]:
    """Return sizes, the last checkpoint, what waits, and how the signer's memory compares."""
    home = Home(root)
    wiring.installation(home)
    with wiring.database(home), readable(), wiring.core(home, size=1) as core:
        status = core.reading.status()
        with core.pool.connection() as conn:
            status["anchors"] = anchoring.lines(home, conn)
            status["alarms"], blocked = alarmed(conn)
        against = contradiction(home)
    blocked += [] if against is None else [against.message]
    status["blocked"] = ", ".join(blocked)
    status["recoveries"] = recoveries(root)
    journal = read_journal(home.signer / "journal")
    status["signed"] = journal[-1].size if journal else 0
    status["installation"] = wiring.installation(home).origin
    status["use"] = wiring.installation(home).use
    return status


def ledger_verify(
    root: Path, anchors: Path | None = None, told: Callable[[int], None] | None = None
) -> Outcome:
    """Verify every entry, body, tree state and checkpoint against journal, anchors and public keys.

    ``anchors`` is a file, or a folder of files, that was kept elsewhere; when none is given, the home's own
    file, which is not independent. The witnesses listed are asked in any case. Every stored timestamp and
    cosignature is checked again. ``told`` hears how many entries were walked.

    Raises ``MisuseError`` where ``anchors`` is not there; ENVIRONMENT where no checkpoint of this log is in
    it.
    """
    home = Home(root)
    origin = wiring.installation(home).origin
    notes = read_file_anchor(home.anchors) if anchors is None else kept_notes(anchors, origin)
    asked, silent = anchoring.witnessed(home)
    notes += asked
    keys = [
        line for line in home.public_keys.read_text("utf-8").splitlines() if line and not line.startswith("#")
    ]

    def judge(conn: Any) -> Report:
        require_schema(home, conn)
        facts = _facts(home, conn)
        fingerprint_log.check(conn, facts)
        kept = kept_here(home, conn)  # before the journal: the signer may be at work
        journal, admission = read_journal(home.signer / "journal"), _admission_key(home)
        report = verify_ledger(conn, journal, notes, keys, admission, told)
        try:
            memory.insist_whole(journal, kept, wiring.trusted(home))
        except EvidenceBroken as error:
            report.add("journal", error.message, index=error.values["found"])
        report.counts["unissued_numbers"] = gaps(conn).value()["unissued_numbers"]
        anchoring.check_evidence(home, conn, facts)
        check_keys.check(conn, [one.note for one in read_journal(home.signer / "journal")], keys, facts)
        for one in facts.findings:
            report.add(
                one.kind, one.message, index=one.index, entry_id=one.entry_id, record=one.record,
                version=one.version, field=one.field,
            )  # fmt: skip
        report.counts.update({k: n for k, n in facts.counts.items() if k in anchoring.COUNTS})
        for name in ("guards", "admissions", "admissions_unchecked"):
            report.counts[name] += facts.counts[name]
        return report

    alone = damage.own(home)
    with wiring.database(home), readable():
        report = damage.judged(home, alone, judge)
    report.counts["witnesses_silent"] += len(silent)
    return _outcome(report)


def _admission_key(home: Home) -> bytes | None:
    path = home.secret("admission.key")
    return bytes.fromhex(path.read_text("ascii").strip()) if path.exists() else None


def _facts(home: Home, conn: Any) -> Report:
    """Compare the home's manifest with the database, and its use with the first entry of the log."""
    report, said = Report(), wiring.installation(home)
    row = startup.identity(conn)
    for name, value, stored in zip(
        ("origin", "use", "installation"),
        (said.origin, said.use, said.uuid),
        row or ("none",) * 3,
        strict=True,
    ):
        if value != stored:
            message = f"{home.manifest.name} says {value}, the database {stored}"
            report.add("installation", message, field=name)
    first = startup.first_entry(conn) or (b"", {})
    try:
        opened = sections_of(leaf.parse(first[0]), first[1])
        founded = str(canonical.decode(opened["detail"][1])["use"])
    except (LedgerError, EvidenceBroken, KeyError, TypeError):
        founded = "nothing"
    if founded != said.use:
        message = f"{home.manifest.name} says {said.use}, the log was opened for {founded}"
        report.add("installation", message, index=0, field="use")
    return report


def ledger_replay(root: Path) -> Outcome:
    """Rebuild every projection from the ledger and compare it with what is stored."""
    home = Home(root)
    wiring.installation(home)
    alone = damage.own(home)
    with wiring.database(home), readable():
        return _outcome(damage.judged(home, alone, lambda conn: replay(conn, projector(conn))))


def projector(conn: psycopg.Connection[Any]) -> Projector:
    """Return how versions are projected: each under the definition it was made with, read from the log."""
    known = wiring.catalogue().recalling(lambda: {d.hash: d.canonical for d in told(conn).definitions})
    return lambda kind, definition, uid, content: project(known.under(kind, definition), uid, content)


def vault_locate(root: Path, number: str) -> list[dict[str, Any]]:
    """Return where the files of a record lie."""
    home = Home(root)
    wiring.installation(home)
    with wiring.database(home), readable(), wiring.core(home, size=1) as core:
        row = core.reading.find(number)
        if row is None:
            raise NotFound("NOT_FOUND", what="record", record=number)
        files = [
            i
            for v in row.fields.values()
            for i in (v if isinstance(v, list) else [v])
            if isinstance(i, dict) and "root" in i and "media_type" in i
        ]
        return [
            {
                "name": f["name"],
                "size": f["size"],
                "sha256": f["sha256"],
                "root": f["root"],
                "path": str(core.vault.path(f["root"])),
            }
            for f in files
        ]


def checkpoint(root: Path) -> str:
    """Return the newest signed checkpoint; with no server running, integrate and sign what waits first."""
    home = Home(root)
    wiring.installation(home)
    with wiring.database(home):
        if not wiring.signer_socket(home).exists():
            with (
                closing(open_signer(home)) as signer,
                closing(sequencer_of(home, signer)) as sequencer,
            ):
                while sequencer.step().integrated:
                    pass
        with wiring.core(home, size=1) as core:
            found = core.reading.checkpoint()
    if found is None:
        raise NotFound("NOT_FOUND", what="checkpoint", record="of this log")
    return str(found["note"])


def anchor(root: Path, target: Path) -> dict[str, Any]:
    """Append the newest checkpoint to a file kept elsewhere."""
    note = checkpoint(root)
    FileAnchor(target).put(note.encode())
    return {
        "target": str(target),
        "size": int(note.splitlines()[1]),
        "independent": "only if kept on another host",
    }


def entry_proof(root: Path, index: int) -> str:
    """Return the inclusion proof of a tree index in the newest checkpoint, as C2SP tlog-proof text."""
    import base64

    home = Home(root)
    wiring.installation(home)
    note = checkpoint(root)
    size = int(note.splitlines()[1])
    with wiring.database(home), readable(), wiring.core(home, size=1) as core:
        hashes = core.reading.leaf_hashes(size)
    if not 0 <= index < size:
        raise NotFound("NOT_FOUND", what="entry", record=f"at index {index} of {size}")
    lines = [base64.b64encode(h).decode() for h in inclusion_proof(hashes, index)]
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *lines, "", note])
