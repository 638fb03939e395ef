"""Signing with the log's own key: the key in the signer's folder is one the home has published.

Rules kept here: a key that ``keys.txt`` does not name, or that did not sign the journal's last line, signs
nothing. Else checkpoints would leave the house that nobody can verify, or that somebody else can make.
"""

from __future__ import annotations

from coverslip.bootstrap import wiring
from coverslip.bootstrap.doctor_line import Check
from coverslip.errors import EnvironmentFault
from coverslip.ledger import note, rotation
from coverslip.settings import Home
from coverslip.store import key_change
from coverslip.store.notes import NoteKey, NoteVerifier, read_seed
from coverslip.store.signer import KEY_FILE, Signer, foreign, insist_own, read_journal

CHECK = "the signing key is the log's own"
_EXPECTED = "a key that keys.txt names and that signed last"


def open_signer(home: Home) -> Signer:
    """Return the home's signer. Raises ENVIRONMENT when its key is not the log's, and as ``Signer``."""
    origin = wiring.installation(home).origin
    if key_change.begun(home.signer) is None:  # else the signer itself says what to do first
        insist_named(home)
    return Signer(home.signer, origin)


def insist_named(home: Home) -> note.VerifierKey:
    """Return the signing key if the home has published it, or a change of key begun here names it.

    Raises ENVIRONMENT naming both if not.
    """
    key = NoteKey(wiring.installation(home).origin, read_seed(home.signer / KEY_FILE)).verifier_key
    try:
        named = {one.vkey(): one.key_id for one in wiring.trusted(home) if one.name == key.name}
    except OSError as error:
        raise EnvironmentFault(
            "ENVIRONMENT", what=str(home.public_keys), expected="the log's public keys", found=str(error),
            remedy="Put it back from a backup, or from where it was handed over.",
        ) from error  # fmt: skip
    statement = key_change.begun(home.signer)
    if statement is not None:
        new = rotation.opened(statement, NoteVerifier).new
        named[new.format()] = new.key_id
    if key.format() not in named:
        ids = ", ".join(f"{key.name}+{one:08x}" for one in named.values()) or "none"
        raise foreign(home.signer / KEY_FILE, f"a key that {home.public_keys.name} names: {ids}", key)
    return key


def insist_own_key(home: Home) -> note.VerifierKey:
    """Return the signing key if it is the log's, without holding the signer. Raises ENVIRONMENT if not."""
    key = insist_named(home)
    if key_change.begun(home.signer) is None:
        journal = read_journal(home.signer / "journal")
        insist_own(home.signer / KEY_FILE, key, journal[-1] if journal else None)
    return key


def check(home: Home) -> Check:
    """Say for the doctor whether the signing key is the log's."""
    try:
        key = insist_own_key(home)
    except EnvironmentFault as error:
        return Check(CHECK, "finding", _EXPECTED, error.message, error.remedy)
    return Check(CHECK, "ok", _EXPECTED, f"{key.name}+{key.key_id:08x}")
