"""Recovery as the signer judges it: by what it signed itself, and by the entries under that.

Rules kept here:

* The entries handed in are believed only when they lead to a root the signer signed (``kept``).
* Who may declare is read out of those entries, never out of the database's current state.
* Everything that does not fit is one refusal that says why; nothing is half accepted.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from coverslip.errors import Refused
from coverslip.ledger import commitment, leaf, proof
from coverslip.ledger.failure import CommitmentError, LedgerError, ProofError
from coverslip.ledger.tree import Frontier, leaf_hash
from coverslip.verifier import sections
from coverslip.verifier.recovery import Recovery, Register, insist_entitled, insist_signed
from coverslip.verifier.report import BundleError

Entries = Iterable[tuple[int, bytes, Mapping[str, tuple[bytes, bytes]]]]
"""(tree index, leaf, section -> (salt, content)) in tree order, as ``PostgresReading.stored`` gives them."""


def refusal(why: str) -> Refused:
    """Return the error of a recovery that is not accepted."""
    return Refused("RECOVERY_REFUSED", why=why)


def register(size: int, entries: Entries) -> tuple[bytes, Register]:
    """Return the root of the first ``size`` entries, and who may declare a recovery by them.

    Raises RECOVERY_REFUSED when they are not all there or a section does not open its commitment.
    """
    frontier, known = Frontier(), Register()
    try:
        for index, data, stored in islice(entries, size):
            frontier.append(leaf_hash(data))
            parsed = leaf.parse(data)
            known.take(index, parsed, _opened(parsed, stored) if known.wants(parsed.record.kind) else {})
    except (LedgerError, BundleError) as error:
        raise refusal(f"the entries both histories have cannot be read ({error})") from error
    if frontier.size != size:
        raise refusal(f"{frontier.size} entries are there of the {size} both histories have")
    return frontier.root(), known


def insist(made: Recovery, entries: Entries, consistency: Sequence[bytes], today: str) -> None:
    """Return if a recovery may be carried out. Raises RECOVERY_REFUSED saying why not.

    ``entries`` are the first ``kept.size`` of the database, ``consistency`` the proof from ``kept`` to
    ``found`` (oldest hash first), ``today`` a date (ISO 8601). That ``signed`` and ``kept`` were signed is
    for the caller to know.
    """
    insist_declared(made, entries, today)
    root, found = bytes.fromhex(made.kept.root), bytes.fromhex(made.found.root)
    try:
        if made.kept.size == made.found.size:
            if found != root:
                raise BundleError("another root at the size both histories have")
        else:
            proof.verify_consistency(made.kept.size, made.found.size, root, found, list(consistency))
    except (BundleError, ProofError) as error:
        raise refusal(str(error)) from error


def insist_declared(made: Recovery, entries: Entries, today: str) -> None:
    """Return if two entitled people declare a recovery, by the first ``kept.size`` of ``entries``.

    Raises RECOVERY_REFUSED saying why not.
    """
    try:
        insist_signed(made)
        root, known = register(made.kept.size, entries)
        if not hmac.compare_digest(root.hex(), made.kept.root):
            raise BundleError("the entries handed in are not those that were signed")
        insist_entitled(made, known, today)
    except BundleError as error:
        raise refusal(str(error)) from error


def _opened(parsed: leaf.Leaf, stored: Mapping[str, tuple[bytes, bytes]]) -> dict[str, object]:
    values: dict[str, object] = {}
    for ref in parsed.bodies:
        if ref.section not in stored or ref.section not in ("content", "signature"):
            continue
        salt, content = stored[ref.section]
        try:
            commitment.verify(ref.section, salt, content, bytes.fromhex(ref.commitment))
            values[ref.section] = sections.read(ref.section, content.decode())
        except (CommitmentError, UnicodeDecodeError) as error:
            raise BundleError(
                f"{ref.section} of {parsed.record.kind} {parsed.record.id} version {parsed.record.ver} does"
                " not open its commitment"
            ) from error
    return values
