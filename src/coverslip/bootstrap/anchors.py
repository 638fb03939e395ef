"""Anchors of an installation: from the operator's list to places that keep checkpoints.

Rules kept here: the list is the operator's and lies in the home; evidence is checked with the roots and keys
named in it, and nothing that is stored is believed because it is stored.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from coverslip.anchoring.refusal import AnchorRefused
from coverslip.anchoring.rounds import Anchor, Rounds
from coverslip.anchoring.standing import read_errors, standing, tell_error
from coverslip.anchoring.targets import Target, check, load, save
from coverslip.anchoring.timestamp import TimestampAuthority, check as check_timestamp, roots
from coverslip.anchoring.witness_client import WitnessAnchor, cosigned
from coverslip.bootstrap import wiring
from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.kernel.clock import monotonic_s
from coverslip.ledger import note
from coverslip.ledger.failure import LedgerError
from coverslip.settings import Home
from coverslip.store import anchor_rows, memory
from coverslip.store.anchor_rows import AnchorRows
from coverslip.store.anchors import FileAnchor, read_file_anchor
from coverslip.store.elsewhere import insist_one_history
from coverslip.store.findings import Report
from coverslip.store.signer import read_journal

ROUND_S = 45.0
ASK_S = 5.0
_log = logging.getLogger("coverslip")
COUNTS = ("key_changes", "timestamps", "cosignatures", "unchecked_evidence")


def targets_file(home: Home) -> Path:
    """Return where the operator's list of targets lies."""
    return home.root / "anchors.json"


def errors_file(home: Home) -> Path:
    """Return where the last errors are remembered while the server runs."""
    return home.run / "anchors-errors.json"


def log_side(home: Home) -> AnchorRows:
    """Return the log's side of anchoring of a home whose database runs."""
    return AnchorRows(lambda: psycopg.connect(wiring.conninfo(home, "cs_sequencer"), autocommit=True))


def anchor_of(target: Target, rows: AnchorRows) -> Anchor:
    """Return the adapter of a target."""
    ca = Path(target.ca) if target.ca else None
    if target.type == "file":
        return FileAnchor(Path(target.target))
    if target.type == "rfc3161":
        return TimestampAuthority(target.target, Path(target.roots), ca)
    return WitnessAnchor(
        target.target, note.VerifierKey.parse(target.vkey), rows.prove, rows.rotations,
        rows.leaves if target.mirror else None, ca,
    )  # fmt: skip


def rounds(home: Home) -> Rounds:
    """Return the duty that keeps all targets supplied; the operator's list is read at every turn."""
    rows, lock = log_side(home), threading.Lock()

    def tell(name: str, error: str) -> None:
        with lock:
            tell_error(errors_file(home), name, error)

    return Rounds(
        lambda: load(targets_file(home)).targets, lambda one: anchor_of(one, rows), rows, monotonic_s, tell
    )


def newest_token(lab_pool: Any) -> Callable[[], str]:
    """Return the question for the newest timestamp token's hash, for heartbeats."""

    def ask() -> str:
        with lab_pool.connection() as conn:
            return anchor_rows.newest_token(conn)

    return ask


# --- for operators -----------------------------------------------------------------------------------


def anchors_add(root: Path, given: dict[str, Any]) -> list[dict[str, Any]]:
    """Add a target to the list; return how all stand. Raises ENVIRONMENT when it cannot be used."""
    home = Home(root)
    wiring.installation(home)
    one = Target(**given)
    check(one)
    try:
        if one.vkey:
            key = note.VerifierKey.parse(one.vkey)
            if key.algorithm != note.COSIGNATURE:
                raise _fault(one.name, "the key of a witness", "a key of another kind")
        if one.roots:
            roots(Path(one.roots))
    except (LedgerError, AnchorRefused) as error:
        raise _fault(one.name, "a usable key or roots", str(error)) from error
    save(targets_file(home), load(targets_file(home)).plus(one))
    return anchors_list(root)


def anchors_remove(root: Path, name: str) -> list[dict[str, Any]]:
    """Take a target off the list; its evidence stays. Returns how the others stand."""
    home = Home(root)
    wiring.installation(home)
    save(targets_file(home), load(targets_file(home)).minus(name))
    return anchors_list(root)


def anchors_list(root: Path) -> list[dict[str, Any]]:
    """Return how every target stands."""
    home = Home(root)
    wiring.installation(home)
    with wiring.database(home), wiring.connection(home, "cs_verifier") as conn:
        return lines(home, conn)


def anchors_round(root: Path) -> list[dict[str, Any]]:
    """Ask every target once, now, and return how they stand; waits at most 45 s for all of them."""
    home = Home(root)
    wiring.installation(home)
    with wiring.database(home):
        duty = rounds(home)
        try:
            duty.do()
            duty.wait(ROUND_S)
        finally:
            duty.close()
        with wiring.connection(home, "cs_verifier") as conn:
            return lines(home, conn)


def lines(home: Home, conn: Any) -> list[dict[str, Any]]:
    """Return how every target stands, the home's own copy first."""
    newest = anchor_rows.newest(conn)
    own = Target("home", "file", str(home.anchors))
    targets = (own, *load(targets_file(home)).targets)
    return standing(
        targets,
        home.root,
        anchor_rows.successes(conn),
        0 if newest is None else newest[0],
        read_errors(errors_file(home)),
    )


def independent_lines(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a check line a target for the doctor, or one that says there is no independent target."""
    made = [
        {
            "check": f"anchor {line['name']} ({line['type']} {line['target']})",
            "ok": not line["overdue"] and not line.get("error"),
            "found": line["sentence"],
            "remedy": "" if not line["overdue"] and not line.get("error") else _REMEDY,
        }
        for line in found
        if line["name"] != "home"
    ]
    somewhere = [line for line in found if line["independent"] and "at" in line]
    made.append(
        {
            "check": "checkpoints are anchored elsewhere",
            "ok": bool(somewhere),
            "found": f"{len(somewhere)} independent targets" if somewhere else "only in the home itself",
            "remedy": "" if somewhere else "Name a place others control: 'coverslip ledger anchors add'.",
        }
    )
    return made


_REMEDY = "See that it answers; then 'coverslip ledger anchors now'."


def check_evidence(home: Home, conn: Any, report: Report) -> None:
    """Check every timestamp and cosignature that is stored, with the roots and keys of the targets listed.

    What a target no longer listed has left cannot be checked, for want of its roots or key, and is counted.
    """
    known = {(one.type, one.target): one for one in load(targets_file(home)).targets}
    for one in anchor_rows.evidence(conn, ("rfc3161", "witness")):
        target = known.get((one.type, one.target))
        if target is None:
            report.counts["unchecked_evidence"] += 1
            continue
        report.counts["timestamps" if one.type == "rfc3161" else "cosignatures"] += 1
        try:
            _check(target, one)
        except (AnchorRefused, LedgerError) as error:
            report.add(
                "anchor", f"the evidence of {one.size} entries from {one.target} does not hold: {error}",
                index=one.size - 1,
            )  # fmt: skip


def _check(target: Target, one: anchor_rows.Evidence) -> None:
    if target.type == "rfc3161":
        check_timestamp(one.data, one.note, roots(Path(target.roots)))
        return
    cosigned(one.data, note.VerifierKey.parse(target.vkey))
    if note.parse(one.data).text != note.parse(one.note).text:
        raise AnchorRefused("it is about another checkpoint than the one stored")


def witnessed(home: Home) -> tuple[list[bytes], list[str]]:
    """Ask each witness for the newest checkpoint it cosigned; return the notes, and who did not answer."""
    origin = wiring.installation(home).origin
    notes, silent = [], []
    rows = log_side(home)
    for one in load(targets_file(home)).targets:
        if one.type != "witness":
            continue
        key, ca = note.VerifierKey.parse(one.vkey), Path(one.ca) if one.ca else None
        anchor = WitnessAnchor(one.target, key, rows.prove, ca=ca, timeout_s=ASK_S)
        try:
            found = anchor.newest(origin)
        except (OSError, LedgerError) as error:
            silent.append(f"{one.name}: {error}")
            continue
        if found is not None:
            notes.append(found)
    return notes, silent


def contradicted(home: Home) -> EvidenceBroken | None:
    """Return why the home must not be written to by what its anchors saw, None where nothing says so.

    A witness that signed for more than was signed here, or any place that keeps another history. A place that
    does not answer keeps no server from starting; it is in the log.
    """
    origin, keys = wiring.installation(home).origin, wiring.trusted(home)
    notes, silent = witnessed(home)
    places = [("a witness", notes), (str(home.anchors), read_file_anchor(home.anchors))]
    for one in load(targets_file(home)).targets:
        if one.type == "file":
            kept = _within(lambda path=Path(one.target): read_file_anchor(path))  # type: ignore[misc]
            if kept is None:
                silent.append(f"{one.name}: cannot be read")
            else:
                places.append((f"{one.name} ({one.target})", kept))
    for name in silent:
        _log.warning("anchor %s", name)
    journal = read_journal(home.signer / "journal")
    try:
        memory.insist_whole(journal, [("a witness", one) for one in notes], keys)
        with wiring.connection(home, "cs_verifier") as conn:
            insist_one_history(conn, journal, places, [one for one in keys if one.name == origin])
    except EvidenceBroken as error:
        return error
    return None


def _within(read: Callable[[], list[bytes]]) -> list[bytes] | None:
    """Return what a place holds, None if it says nothing in time: a hanging file system holds up nobody."""
    found: list[list[bytes]] = []

    def ask() -> None:
        with contextlib.suppress(OSError):
            found.append(read())

    asking = threading.Thread(target=ask, name="anchor-read", daemon=True)
    asking.start()
    asking.join(ASK_S)
    return found[0] if found else None


def _fault(name: str, expected: str, found: str) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT", what=f"anchor {name}", expected=expected, found=found,
        remedy="See 'coverslip ledger anchors add --help'.",
    )  # fmt: skip
