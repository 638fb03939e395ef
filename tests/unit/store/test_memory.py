"""A checkpoint that the signer signed and does not remember stops it; anything else does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.errors import EvidenceBroken
from coverslip.ledger import note
from coverslip.ledger.tree import consistency_proof, leaf_hash, root_of
from coverslip.store.memory import insist_whole
from coverslip.store.notes import NoteVerifier
from coverslip.store.signer import Signed, Signer

LEAVES = [leaf_hash(bytes([n])) for n in range(9)]
ORIGIN = "lab.example/log"


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    made = Signer.create(tmp_path / "signer", ORIGIN)
    yield made
    made.close()


def grown(signer: Signer) -> list[Signed]:
    """Sign 3, 5 and 9 leaves; return what the journal then holds."""
    found = [signer.sign(3, root_of(LEAVES[:3]), [])]
    found.append(signer.sign(5, root_of(LEAVES[:5]), consistency_proof(LEAVES[:5], 3)))
    found.append(signer.sign(9, root_of(LEAVES), consistency_proof(LEAVES, 5)))
    return found


def verifiers(signer: Signer) -> list[NoteVerifier]:
    return [NoteVerifier(note.VerifierKey.parse(signer.vkey()))]


def test_a_whole_journal_and_any_older_note_are_fine(signer: Signer) -> None:
    journal = grown(signer)
    insist_whole(journal, [("the database", one.note) for one in journal], verifiers(signer))
    insist_whole(journal, [], verifiers(signer))
    insist_whole([], [], verifiers(signer))


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_journal_without_its_end_is_refused_with_both_sizes_and_the_place(
    signer: Signer, left: int
) -> None:
    journal = grown(signer)
    with pytest.raises(EvidenceBroken) as caught:
        insist_whole(journal[:left], [("/elsewhere/checkpoints", journal[-1].note)], verifiers(signer))
    assert caught.value.code == "RECOVERY_REQUIRED"
    last = journal[left - 1].size if left else 0
    for part in (f"ends at {last} ", "checkpoint of 9 ", "/elsewhere/checkpoints"):
        assert part in caught.value.message


def test_a_line_given_up_by_a_recovery_is_remembered_all_the_same(signer: Signer) -> None:
    journal = grown(signer)
    recovered = Signed(4, root_of(LEAVES[:4]), b"", "declared")
    insist_whole([*journal, recovered], [("anchor", journal[-1].note)], verifiers(signer))


def test_a_note_of_another_key_and_bytes_that_are_no_note_prove_nothing(
    signer: Signer, tmp_path: Path
) -> None:
    journal = grown(signer)
    other = Signer.create(tmp_path / "other", ORIGIN)
    forged = grown(other)[-1].note
    other.close()
    insist_whole(journal[:1], [("the database", forged), ("the database", b"torn")], verifiers(signer))
