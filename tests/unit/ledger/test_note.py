"""Signed notes: exact lines, known keys only, and no failed signature beside a good one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from coverslip.ledger import note
from coverslip.ledger.note import Note, NoteError, Signature, VerifierKey

TEXT = "first line\n\nthird line\n"


@dataclass
class Signer:
    name: str
    private: Ed25519PrivateKey

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.name, note.ED25519, self.private.public_key().public_bytes_raw())

    @property
    def key_id(self) -> int:
        return self.key.key_id

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


@dataclass
class Verifier:
    key: VerifierKey

    @property
    def name(self) -> str:
        return self.key.name

    @property
    def key_id(self) -> int:
        return self.key.key_id

    def verify(self, message: bytes, signature: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.key.public).verify(signature, message)
        except InvalidSignature:
            raise ValueError("signature does not verify") from None


LOG = Signer("log.example", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
WITNESS = Signer("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
KNOWN = Verifier(LOG.key)


def test_a_note_is_written_as_the_format_says_and_reads_back() -> None:
    made = note.sign(TEXT, [LOG, WITNESS])
    data = made.to_bytes()
    lines = data.decode().split("\n")
    assert lines[:4] == ["first line", "", "third line", ""]
    assert lines[4].startswith("\u2014 log.example ")
    assert lines[5].startswith("\u2014 witness.example/w1 ")
    assert lines[6:] == [""]
    assert note.parse(data) == made


def test_known_keys_are_checked_and_unknown_ones_ignored() -> None:
    made = note.sign(TEXT, [WITNESS, LOG])
    assert note.verify(made, [KNOWN]) == (made.signatures[1],)
    assert note.verify(made, [KNOWN, Verifier(WITNESS.key)]) == made.signatures


def test_a_repeated_signature_counts_once() -> None:
    made = note.sign(TEXT, [LOG, LOG])
    assert len(note.verify(made, [KNOWN])) == 1


def test_a_note_without_a_known_key_cannot_pass() -> None:
    with pytest.raises(NoteError, match="no signature by a known key"):
        note.verify(note.sign(TEXT, [WITNESS]), [KNOWN])
    with pytest.raises(NoteError, match="no signature by a known key"):
        note.verify(note.sign(TEXT, [LOG]), [])


def test_a_false_signature_by_a_known_key_refuses_the_whole_note() -> None:
    good = note.sign(TEXT, [LOG]).signatures[0]
    false = Signature(good.name, good.key_id, good.signature[:-1] + bytes([good.signature[-1] ^ 1]))
    with pytest.raises(NoteError, match="is false"):
        note.verify(Note(TEXT, (good, false)), [KNOWN])
    with pytest.raises(NoteError, match="is false"):
        note.verify(Note(TEXT + "more\n", (good,)), [KNOWN])


@pytest.mark.parametrize(("name", "shift"), [("other.example", 0), ("log.example", 1)])
def test_a_signature_under_another_name_or_id_is_not_the_known_keys(name: str, shift: int) -> None:
    good = note.sign(TEXT, [LOG]).signatures[0]
    other = Signature(name, (good.key_id + shift) % 2**32, good.signature)
    with pytest.raises(NoteError, match="no signature by a known key"):
        note.verify(Note(TEXT, (other,)), [KNOWN])


def test_two_keys_of_one_name_and_id_cannot_both_be_trusted() -> None:
    with pytest.raises(NoteError, match="two keys"):
        note.verify(note.sign(TEXT, [LOG]), [KNOWN, Verifier(LOG.key)])


GOOD = note.sign(TEXT, [LOG]).to_bytes()
LINE = GOOD[len(TEXT) + 1 :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        TEXT.encode(),
        TEXT.encode() + b"\n",
        GOOD[:-1],
        GOOD + b"\n",
        GOOD + b"another line\n",
        GOOD.replace(b"\n", b"\r\n"),
        b"\x01" + GOOD,
        b"\xff" + GOOD,
        TEXT.encode() + LINE,
        GOOD.replace("\u2014".encode(), b"-"),
        GOOD.replace("\u2014 ".encode(), "\u2014".encode()),
        GOOD.replace(b"log.example", b"log example"),
        GOOD.replace(b"log.example", b"log+example"),
        GOOD.replace(b"log.example", "log\u00a0example".encode()),
        GOOD.replace(b"log.example", b""),
        GOOD.replace(b"log.example ", b"log.example  "),
        GOOD[:-2] + b"\n",
        GOOD[:-5] + b"*" + GOOD[-4:],
        TEXT.encode() + "\n\u2014 log.example AAAAAA==\n".encode(),
        TEXT.encode() + "\n\u2014 log.example AAAAAB==\n".encode(),
        TEXT.encode() + b"\n" + LINE * 101,
        b"x" * 1_000_001 + GOOD,
    ],
)
def test_bytes_that_are_no_note_cannot_be_read(data: bytes) -> None:
    with pytest.raises(NoteError):
        note.parse(data)


@pytest.mark.parametrize("text", ["", "no newline", "tab\there\n", "nul\x00\n", "\ud800\n"])
def test_text_that_is_no_notes_cannot_be_signed(text: str) -> None:
    with pytest.raises(NoteError):
        note.sign(text, [LOG])


def test_nobody_cannot_sign() -> None:
    with pytest.raises(NoteError, match="at least one"):
        note.sign(TEXT, [])
    with pytest.raises(NoteError, match="at least one"):
        Note(TEXT, ()).to_bytes()


def test_an_ed25519_key_id_binds_name_type_and_key() -> None:
    material = b"log.example\n\x01" + LOG.key.public
    assert LOG.key_id == int.from_bytes(hashlib.sha256(material).digest()[:4], "big")
    ids = {LOG.key_id, VerifierKey("other", 1, LOG.key.public).key_id, WITNESS.key_id}
    ids.add(VerifierKey("log.example", note.COSIGNATURE, LOG.key.public).key_id)
    assert len(ids) == 4


def test_an_ecdsa_key_id_is_the_hash_of_its_public_key_info() -> None:
    private = ec.derive_private_key(7, ec.SECP256R1())
    der = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key = VerifierKey("log.example", note.ECDSA, der)
    assert key.key_id == int.from_bytes(hashlib.sha256(der).digest()[:4], "big")
    assert VerifierKey.parse(key.format()) == key
    signature = private.sign(TEXT.encode(), ec.ECDSA(hashes.SHA256()))
    made = Note(TEXT, (Signature(key.name, key.key_id, signature),))
    assert note.parse(made.to_bytes()) == made


@pytest.mark.parametrize("algorithm", [note.ED25519, note.COSIGNATURE])
def test_a_verifier_key_reads_back(algorithm: int) -> None:
    key = VerifierKey("log.example/2", algorithm, LOG.key.public)
    assert VerifierKey.parse(key.format()) == key


VKEY = LOG.key.format()


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "log.example",
        VKEY + " ",
        " " + VKEY,
        VKEY + "\n",
        VKEY[:-1],
        VKEY.replace("log.example", "log.exampl"),
        VKEY.replace("log.example", ""),
        VKEY.replace("log.example", "log example"),
        "log.example+00000000+" + VKEY.split("+", 2)[2],
        "log.example+" + VKEY.split("+", 2)[1].upper() + "x+" + VKEY.split("+", 2)[2],
        "log.example+" + VKEY.split("+", 2)[1] + "+",
        "log.example+" + VKEY.split("+", 2)[1] + "+AQ==",
    ],
)
def test_a_text_that_is_no_verifier_key_cannot_be_read(vkey: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize(("algorithm", "size"), [(1, 31), (1, 33), (4, 0), (2, 0), (3, 32), (6, 32), (0, 32)])
def test_a_key_of_unknown_type_or_length_cannot_be_trusted(algorithm: int, size: int) -> None:
    with pytest.raises(NoteError):
        VerifierKey("log.example", algorithm, bytes(size))
