"""Recovery: out of quarantine by the word of two people, with the lost range on the record for ever.

Rules kept here:

* What is lost is computed here and shown before anybody signs: from the last tree both histories have in
  common to the last one signed.
* Entries that no checkpoint covers must have come through the application, like any other.
* The signer decides (``store/signer.py``); here the statement is prepared, signed and, once the signer has
  taken it, entered. What was interrupted after the signer's word is completed at the next start.
* Numbers of lost records are not given out again, and every session from before has ended.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coverslip.bootstrap import quarantine, wiring
from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.signing import open_signer
from coverslip.errors import EnvironmentFault, EvidenceBroken, Refused
from coverslip.kernel import keys
from coverslip.kernel.change import Context
from coverslip.kernel.clock import utc_now
from coverslip.kernel.events import Event
from coverslip.kernel.rows import NIL
from coverslip.ledger.tree import Frontier, consistency_proof, leaf_hash
from coverslip.settings import Home
from coverslip.store import recovered
from coverslip.store.recovery import refusal
from coverslip.store.signer import Signed, current, read_journal
from coverslip.verifier.recovery import ROLES, Declarer, Recovery, Tree, parse as parse_recovery


@dataclass(frozen=True, slots=True)
class Situation:
    """What was signed last, what both histories have, and the tree found with its leaf hashes."""

    signed: Signed
    kept: Signed
    root: bytes
    hashes: tuple[bytes, ...]

    def shown(self) -> dict[str, Any]:
        """Return what two people must know before they sign."""
        return {
            "signed": self.signed.size, "found": len(self.hashes), "kept": self.kept.size,
            "lost": f"entries {self.kept.size} to {self.signed.size - 1} of the history signed before",
        }  # fmt: skip


def situation(root: Path) -> dict[str, Any]:
    """Return what a recovery would declare lost. Raises RECOVERY_REFUSED when there is nothing to recover."""
    home = Home(root)
    wiring.installation(home)
    with wiring.database(home), wiring.core(home, size=1) as core:
        return _situation(home, core).shown()


def recover(
    root: Path,
    people: Mapping[str, str],
    passwords: Mapping[str, str],
    reason: str,
    database_url: str = "",
) -> dict[str, Any]:
    """Carry out a recovery that two people sign, and return what is on the record of it.

    ``people`` maps QA and ADM to user names, ``passwords`` user names to their passwords, used once;
    ``database_url`` names the superuser of the site's own server, where that is used. Raises
    RECOVERY_REFUSED, SIG_REAUTH when a password opens no key, EVIDENCE when the database found is not of
    one piece, ENVIRONMENT when the server holds the signer.
    """
    home = Home(root)
    wiring.installation(home)
    with (
        wiring.database(home),
        wiring.core(home, size=2) as core,
        wiring.superuser(home, database_url) as superuser,
    ):
        found = _situation(home, core)
        made = _signed(home, core, found, people, passwords, reason)
        signer = open_signer(home)
        try:
            proof = consistency_proof(list(found.hashes), found.kept.size)
            signer.recover(made.detail(), core.reading.stored(0, found.kept.size), proof)
            recovered.leave_behind(superuser, found.signed.size - found.kept.size)
            complete(home, core)
            with closing(sequencer_of(home, signer)) as sequencer:
                while sequencer.step().integrated:
                    pass
            last = signer.last()
        finally:
            signer.close()
    return {**found.shown(), "statement": made.sentence(), "size": 0 if last is None else last.size}


def complete(home: Home, core: wiring.Core) -> bool:
    """Enter the last recovery the signer carried out, if no entry says so yet; return whether it did."""
    declared = [one.recovery for one in read_journal(home.signer / "journal") if one.recovery]
    if not declared:
        return False
    detail = json.loads(declared[-1])
    if recovered.entered(core.pool, detail):
        return False
    first = parse_recovery(detail).declarers[0].person
    context = Context(NIL, first, "password", "recovery", "local", "coverslip ledger recover", "UTC")
    core.events.installation(Event("recovery", "recover", detail), context)
    return True


def finish(home: Home) -> None:
    """Complete what a recovery left undone when it was interrupted; nothing where there was none."""
    if any(one.recovery for one in read_journal(home.signer / "journal")):
        with wiring.core(home, size=1) as core:
            complete(home, core)


def recoveries(root: Path) -> list[str]:
    """Return one sentence for each recovery that the signer carried out, oldest first."""
    journal = read_journal(Home(root).signer / "journal")
    return [parse_recovery(json.loads(one.recovery)).sentence() for one in journal if one.recovery]


def _situation(home: Home, core: wiring.Core) -> Situation:
    journal = current(read_journal(home.signer / "journal"))
    if not journal:
        raise refusal("nothing was ever signed here")
    if quarantine.contradiction(home) is None:
        raise refusal("the database is the one that was signed; there is nothing to recover")
    wanted = {one.size: one for one in journal}
    frontier, hashes, kept = Frontier(), list[bytes](), None
    for _, data, _ in core.reading.stored(0, recovered.leaves(core.pool)):
        hashes.append(leaf_hash(data))
        frontier.append(hashes[-1])
        one = wanted.get(frontier.size)
        kept = one if one is not None and one.root == frontier.root() else kept
    size, root = recovered.tree(core.pool)
    if (size, root) != (frontier.size, frontier.root()):
        raise EvidenceBroken(
            "EVIDENCE", what="the tree found", expected=f"{frontier.size} leaves and their root",
            found=f"{size} leaves and another", remedy="Restore a copy of the database that is of one piece.",
        )  # fmt: skip
    if kept is None:
        raise refusal("the database has no signed tree in common with the signer; restore one of this log")
    if kept.size == journal[-1].size:
        raise refusal("nothing that was signed is lost; the signer's journal is what must be put back")
    _insist_admitted(home, core, kept.size, len(hashes))
    return Situation(journal[-1], kept, root, tuple(hashes))


def _insist_admitted(home: Home, core: wiring.Core, first: int, last: int) -> None:
    key = bytes.fromhex(home.secret("admission.key").read_text("ascii").strip())
    for index, hashed, tag in recovered.admissions(core.pool, first, last):
        if not hmac.compare_digest(hmac.digest(key, hashed, "sha256"), tag):
            raise EvidenceBroken(
                "EVIDENCE", what=f"the entry at index {index}, which no signature covers",
                expected="an entry that came through the application", found="a false admission tag",
                remedy="Restore a copy of the database without it.",
            )  # fmt: skip


def _signed(
    home: Home,
    core: wiring.Core,
    found: Situation,
    people: Mapping[str, str],
    passwords: Mapping[str, str],
    reason: str,
) -> Recovery:
    declarers, wrapped = [], []
    for role in ROLES:
        username = people.get(role, "").strip().casefold()
        known = core.accounts.person_by_username(username)
        credential = None if known is None else core.accounts.credential(known[0])
        account = None if known is None else core.accounts.account(known[0])
        if known is None or credential is None or account is None:
            raise Refused("SIG_REAUTH", expected="user name and password are")
        wrapped.append(credential)
        declarers.append(Declarer(known[0], username, str(account["name"]), role, str(credential["kid"])))
    if declarers[0].person == declarers[1].person:
        raise refusal("one person cannot sign for two")
    draft = Recovery(
        wiring.installation(home).origin, Tree(found.signed.size, found.signed.root.hex()),
        Tree(len(found.hashes), found.root.hex()), Tree(found.kept.size, found.kept.root.hex()),
        reason.strip(), tuple(declarers), utc_now(), (), found.signed.note.decode(),
    )  # fmt: skip
    message, signatures = draft.message(), []
    for one, credential in zip(declarers, wrapped, strict=True):
        secret = passwords.get(people[one.role])
        if secret is None:
            raise EnvironmentFault(
                "ENVIRONMENT", what=f"the password of {one.username}", expected="one", found="none"
            )
        value = keys.sign(credential, secret, one.person, message)
        names = ("scheme", "kid", "public")
        signatures.append({**{name: credential[name] for name in names}, "signature": value.hex()})
    return replace(draft, signatures=tuple(signatures))
