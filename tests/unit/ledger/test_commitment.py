"""Commitments open with their own section, salt and content, and with nothing else."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from coverslip.ledger import commitment
from coverslip.ledger.commitment import CommitmentError

SALT = bytes(range(32))


def test_a_commitment_is_the_hmac_of_section_nul_content() -> None:
    expected = hmac.new(SALT, b'content\x00{"a":1}', hashlib.sha256).digest()
    assert commitment.commit("content", SALT, b'{"a":1}') == expected


@pytest.mark.parametrize(
    ("section", "salt", "content"),
    [
        ("personal", SALT, b"x"),
        ("content", bytes(32), b"x"),
        ("content", SALT, b"y"),
        ("content", SALT, b"x\x00"),
        ("content", SALT, b""),
    ],
)
def test_a_commitment_cannot_be_opened_by_anything_else(section: str, salt: bytes, content: bytes) -> None:
    made = commitment.commit("content", SALT, b"x")
    commitment.verify("content", SALT, b"x", made)
    with pytest.raises(CommitmentError, match="does not open"):
        commitment.verify(section, salt, content, made)


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_a_salt_cannot_be_of_another_length(salt: bytes) -> None:
    with pytest.raises(CommitmentError, match="salt of"):
        commitment.commit("content", salt, b"x")


@pytest.mark.parametrize("section", ["", "Content", "content\x00", "other"])
def test_an_unknown_section_cannot_be_committed(section: str) -> None:
    with pytest.raises(CommitmentError, match="unknown section"):
        commitment.commit(section, SALT, b"x")


def test_salts_are_fresh_and_of_32_bytes() -> None:
    salts = {commitment.new_salt() for _ in range(100)}
    assert len(salts) == 100
    assert {len(salt) for salt in salts} == {32}


def test_erasable_sections_are_the_personal_ones() -> None:
    assert {"personal", "reason", "context"} == commitment.ERASABLE
    assert commitment.ERASABLE < commitment.SECTIONS
