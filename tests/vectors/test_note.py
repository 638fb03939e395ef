"""Note and key probes: each good one is accepted with exactly its key, each bad one refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from coverslip.ledger import note
from coverslip.ledger.note import NoteError, VerifierKey

DATA = Path(__file__).parent / "data/note"
PROBES = json.loads((DATA / "probes.json").read_text())
VKEYS = json.loads((DATA / "vkeys.json").read_text())


class Trusted:
    """The one key a reader of the probes knows."""

    def __init__(self, vkey: str) -> None:
        key = VerifierKey.parse(vkey)
        self.name = key.name
        self.key_id = key.key_id
        self._public = Ed25519PublicKey.from_public_bytes(key.public)

    def verify(self, message: bytes, signature: bytes) -> None:
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            raise ValueError("signature does not verify") from None


def named(accept: bool) -> list[Any]:
    chosen = [probe for probe in PROBES["probes"] if probe["accept"] is accept]
    return [pytest.param(probe["note"].encode(), id=probe["name"]) for probe in chosen]


@pytest.mark.parametrize("data", named(True))
def test_a_good_note_is_accepted_for_the_trusted_key_alone(data: bytes) -> None:
    trusted = Trusted(PROBES["trusted"])
    found = note.verify(note.parse(data), [trusted])
    assert [(one.name, one.key_id) for one in found] == [(trusted.name, trusted.key_id)]
    assert note.parse(data).to_bytes() == data


@pytest.mark.parametrize("data", named(False))
def test_a_bad_note_cannot_be_accepted(data: bytes) -> None:
    with pytest.raises(NoteError):
        note.verify(note.parse(data), [Trusted(PROBES["trusted"])])


@pytest.mark.parametrize("probe", VKEYS["accept"], ids=lambda probe: probe["name"])
def test_a_published_key_reads_back(probe: dict[str, str]) -> None:
    key = VerifierKey.parse(probe["vkey"])
    assert (key.name, f"{key.key_id:08x}", key.algorithm) == (probe["name"], probe["key_id"], note.ED25519)
    assert key.format() == probe["vkey"]


@pytest.mark.parametrize("vkey", VKEYS["reject"])
def test_a_damaged_key_cannot_be_read(vkey: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(vkey)
