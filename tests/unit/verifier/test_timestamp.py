"""A token read with the standard library alone says what openssl says of it, and nothing false passes."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import pytest

from coverslip.verifier import certificates, timestamp
from coverslip.verifier.certificates import TokenError, UnknownAlgorithm, parse_pem
from coverslip.verifier.report import BundleError, UsageError

NOTE = b"a checkpoint\n"


def stamped(maker: Any, certificate: str = "stamp", data: bytes = NOTE) -> bytes:
    """Return the authority's answer to a question by openssl."""
    return bytes(maker.reply(maker.query(data), certificate))


def roots(maker: Any) -> list[certificates.Certificate]:
    return parse_pem(maker.root.read_bytes())


@pytest.mark.parametrize("kind", ["good", "curve"])
def test_a_token_states_time_and_imprint_and_its_authority_vouches(makers: Any, kind: str) -> None:
    found = timestamp.parse(stamped(makers[kind]))
    assert found.imprint == hashlib.sha256(NOTE).digest()
    assert found.at.year >= 2024
    assert found.insist_vouched(roots(makers[kind])) == f"CN=stamp of {kind}"


def test_it_agrees_with_the_library_of_the_server(makers: Any) -> None:
    from coverslip.anchoring.timestamp import check, roots as server_roots

    data = stamped(makers["good"])
    theirs, ours = check(data, NOTE, server_roots(makers["good"].root)), timestamp.parse(data)
    assert (theirs.imprint, theirs.serial) == (ours.imprint, ours.serial)
    assert theirs.at.replace(tzinfo=None, microsecond=0) == ours.at


def test_another_authority_does_not_vouch(makers: Any) -> None:
    with pytest.raises(TokenError, match="no root that was given vouches"):
        timestamp.parse(stamped(makers["good"])).insist_vouched(roots(makers["other"]))


def test_an_ended_certificate_does_not_vouch(makers: Any) -> None:
    with pytest.raises(TokenError, match="was not valid at"):
        timestamp.parse(stamped(makers["good"], "ended")).insist_vouched(roots(makers["good"]))


def test_a_certificate_that_may_not_issue_is_no_root(makers: Any) -> None:
    leaf = parse_pem((makers["good"].folder / "stamp.pem").read_bytes())
    with pytest.raises(TokenError, match="no root"):
        timestamp.parse(stamped(makers["good"])).insist_vouched(leaf)


def test_a_certificate_for_another_purpose_does_not_stamp(makers: Any) -> None:
    (root,) = roots(makers["good"])
    with pytest.raises(TokenError, match="not for time stamping alone"):
        root.insist_stamping()


@pytest.mark.parametrize("kind", ["good", "curve"])
def test_no_flipped_bit_passes(makers: Any, kind: str) -> None:
    """Whatever is flipped is refused, unless what is stated and who vouches for it is unchanged."""
    data, trusted = stamped(makers[kind]), roots(makers[kind])
    honest = timestamp.parse(data)
    chosen = random.Random(7)
    for at in chosen.sample(range(len(data)), 120):
        spoiled = bytearray(data)
        spoiled[at] ^= 1 << chosen.randrange(8)
        try:
            found = timestamp.parse(bytes(spoiled))
            found.insist_vouched(trusted)
        except BundleError:
            continue
        assert (found.imprint, found.at, found.content) == (honest.imprint, honest.at, honest.content)


@pytest.mark.parametrize("cut", [0, 1, 2, 9, 100, -1])
def test_a_cut_response_is_refused(makers: Any, cut: int) -> None:
    with pytest.raises(BundleError):
        timestamp.parse(stamped(makers["good"])[:cut])


def test_garbage_is_refused_without_a_crash() -> None:
    chosen = random.Random(3)
    for _ in range(2000):
        with pytest.raises(BundleError):
            timestamp.parse(b"\x30" + chosen.randbytes(chosen.randrange(60)))


def test_a_file_without_certificates_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="holds no certificate"):
        parse_pem(b"nothing")
    with pytest.raises(UsageError, match="cannot be read"):
        parse_pem(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")


def test_a_short_key_is_not_judged(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from coverslip.verifier import der

    weak = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505  weak on purpose
    public = weak.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    algorithm = der.read(bytes.fromhex("300d06092a864886f70d01010b0500"))
    with pytest.raises(UnknownAlgorithm, match="2048"):
        certificates.check_signature(public, algorithm, "", b"x", b"\x01" * 128)
