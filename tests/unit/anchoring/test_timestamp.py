"""A timestamp counts when authority, imprint, nonce and chain hold, and only then."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from coverslip.anchoring.refusal import AnchorRefused
from coverslip.anchoring.timestamp import TimestampAuthority, check, roots

NOTE = b"lab.example/log\n7\nAAAA\n\n"


def asked(authority: Any, timeout_s: float = 15.0) -> TimestampAuthority:
    return TimestampAuthority(authority.url, authority.maker.root, timeout_s=timeout_s)


@pytest.mark.parametrize("kind", ["good", "curve"])
def test_a_granted_response_is_evidence_of_the_note(authority: Any, makers: Any, kind: str) -> None:
    authority.maker = makers[kind]
    evidence = asked(authority).put(NOTE)
    said = check(evidence, NOTE, roots(makers[kind].root))
    assert said.authority == f"CN=stamp of {kind}"
    assert said.at.tzinfo is not None


def test_openssl_agrees_that_it_is_good(authority: Any, tmp_path: Path) -> None:
    from fix_authority import openssl

    (tmp_path / "note").write_bytes(NOTE)
    (tmp_path / "token.tsr").write_bytes(asked(authority).put(NOTE))
    said = openssl("ts", "-verify", "-data", "note", "-in", "token.tsr", "-CAfile", authority.maker.root,
                   folder=tmp_path)  # fmt: skip
    assert b"Verification: OK" in said


def test_it_is_no_evidence_of_another_note(authority: Any) -> None:
    evidence = asked(authority).put(NOTE)
    with pytest.raises(AnchorRefused, match="Mismatch between messages"):
        check(evidence, NOTE + b"x", roots(authority.maker.root))


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("other imprint", "Mismatch between messages"),
        ("garbage", "no timestamp response"),
        ("large", "more than 65536 bytes"),
        ("page", "not a timestamp"),
        ("broken", "500"),
        ("ended", "certificate has expired"),
        ("refused", "does not hold"),
    ],
)
def test_a_bad_answer_is_refused(authority: Any, mode: str, why: str) -> None:
    authority.mode = mode
    with pytest.raises(AnchorRefused, match=why):
        asked(authority).put(NOTE)


def test_the_answer_to_an_earlier_question_is_refused(authority: Any) -> None:
    asked(authority).put(NOTE)
    authority.mode = "stale"
    with pytest.raises(AnchorRefused, match="Nonce mismatch"):
        asked(authority).put(NOTE)


def test_another_authority_is_refused(authority: Any, makers: Any) -> None:
    with pytest.raises(AnchorRefused, match="unable to get local issuer certificate"):
        TimestampAuthority(authority.url, makers["other"].root).put(NOTE)


def test_a_file_without_roots_is_refused(authority: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    with pytest.raises(AnchorRefused, match="no root certificates"):
        TimestampAuthority(authority.url, tmp_path / "empty.pem").put(NOTE)
    assert authority.asked == 0


def test_a_silent_authority_is_given_up_in_time(authority: Any) -> None:
    authority.mode = "silent"
    began = time.monotonic()
    with pytest.raises(OSError, match="Timeout"):
        asked(authority, timeout_s=0.3).put(NOTE)
    assert time.monotonic() - began < 2


def test_nobody_there_is_an_error_not_evidence(authority: Any) -> None:
    authority.close()
    with pytest.raises(OSError, match="ConnectError"):
        asked(authority).put(NOTE)


def test_certificates_in_the_order_of_the_chain_are_no_reason_to_refuse(makers: Any) -> None:
    """Nothing signs their order, and many authorities send the chain as it climbs."""
    from coverslip.anchoring.timestamp import in_order
    from coverslip.verifier.timestamp import parse

    maker = makers["good"]
    response = maker.reply(maker.query(NOTE), "stamp", "-chain", "ca.pem")
    assert len(parse(response).certificates) == 2
    assert check(response, NOTE, roots(maker.root)).authority == "CN=stamp of good"
    assert check(in_order(response), NOTE, roots(maker.root)).authority == "CN=stamp of good"
    assert in_order(b"no response") == b"no response"


@pytest.mark.parametrize("at", [0, 40, 300, -40, -1])
def test_a_flipped_byte_is_refused(authority: Any, at: int) -> None:
    evidence = bytearray(asked(authority).put(NOTE))
    evidence[at] ^= 1
    with pytest.raises(AnchorRefused):
        check(bytes(evidence), NOTE, roots(authority.maker.root))
