"""Strictness of the two pure-Python checks beyond the published vectors."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from coverslip.verifier import ed25519, p256
from coverslip.verifier.ed25519 import SignatureError

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
FIELD = 2**255 - 19
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
CURVE_KEY = ec.derive_private_key(12345, ec.SECP256R1())
POINT = CURVE_KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def test_a_signature_holds_for_its_message_only() -> None:
    ed25519.verify(PUBLIC, b"message", KEY.sign(b"message"))
    with pytest.raises(SignatureError):
        ed25519.verify(PUBLIC, b"massage", KEY.sign(b"message"))


def test_a_malleated_signature_is_refused() -> None:
    signature = KEY.sign(b"message")
    s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    with pytest.raises(SignatureError, match="not reduced"):
        ed25519.verify(PUBLIC, b"message", signature[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize(
    "public",
    [
        (1).to_bytes(32, "little"),
        (FIELD - 1).to_bytes(32, "little"),
        bytes(32),
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ],
)
def test_keys_of_small_order_are_refused(public: bytes) -> None:
    """With such a key one signature holds for every message."""
    with pytest.raises(SignatureError, match="small order"):
        ed25519.verify(public, b"anything", (1).to_bytes(32, "little") + bytes(32))


@pytest.mark.parametrize("y", [FIELD, FIELD + 1, FIELD + 18])
def test_keys_that_are_not_canonically_encoded_are_refused(y: int) -> None:
    with pytest.raises(SignatureError, match="not canonically encoded"):
        ed25519.verify(y.to_bytes(32, "little"), b"", bytes(64))


def test_minus_zero_is_no_key() -> None:
    with pytest.raises(SignatureError, match="not canonically encoded"):
        ed25519.verify((1 | 1 << 255).to_bytes(32, "little"), b"", bytes(64))


@pytest.mark.parametrize(("public", "signature"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_other_lengths_are_refused(public: int, signature: int) -> None:
    with pytest.raises(SignatureError, match="bytes"):
        ed25519.verify(bytes(public), b"", bytes(signature))


def test_p256_takes_every_spelling_of_the_key_and_no_other() -> None:
    signature = CURVE_KEY.sign(b"message", ec.ECDSA(hashes.SHA256()))
    public = CURVE_KEY.public_key()
    compressed = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    for key in (POINT, compressed, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)):
        p256.verify(key, b"message", signature)
    off_curve = POINT[:-1] + bytes([POINT[-1] ^ 1])
    for key in (off_curve, POINT[1:], b"\x05" + POINT[1:], b"", bytes(65), b"\x04" + b"\xff" * 64):
        with pytest.raises(SignatureError):
            p256.verify(key, b"message", signature)


def test_a_der_signature_cannot_be_spelled_otherwise() -> None:
    signature = CURVE_KEY.sign(b"message", ec.ECDSA(hashes.SHA256()))
    for other in (signature + b"\x00", b"\x30\x81" + signature[1:], signature[:-1], b"", b"\x30\x00"):
        with pytest.raises(SignatureError, match="DER"):
            p256.verify(POINT, b"message", other)
