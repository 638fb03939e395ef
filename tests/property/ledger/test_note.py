"""Notes, checkpoints and keys: what is written reads back, what reads is written the same."""

from __future__ import annotations

from hypothesis import given, strategies as st

from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint, CheckpointError
from coverslip.ledger.note import Note, NoteError, Signature, VerifierKey
from coverslip.ledger.tree import EMPTY_ROOT

NAMES = st.from_regex(r"[a-zé./_-]{1,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32) | st.just("\n"), max_size=60)
SIGNATURES = st.builds(Signature, NAMES, st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=80))
NOTES = st.builds(
    lambda text, signatures: Note(text + "\n", tuple(signatures)),
    TEXTS,
    st.lists(SIGNATURES, min_size=1, max_size=5),
)
KEYS = st.builds(
    VerifierKey, NAMES, st.sampled_from([note.ED25519, note.COSIGNATURE]), st.binary(min_size=32, max_size=32)
) | st.builds(VerifierKey, NAMES, st.just(note.ECDSA), st.binary(min_size=1, max_size=99))
CHECKPOINTS = st.builds(
    Checkpoint,
    st.from_regex(r"[!-*,-~]{1,40}", fullmatch=True),
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
) | st.builds(Checkpoint, st.just("a"), st.just(0), st.just(EMPTY_ROOT))


@given(NOTES)
def test_a_note_reads_back(one: Note) -> None:
    assert note.parse(one.to_bytes()) == one


@given(NOTES, st.data())
def test_a_damaged_note_is_another_note_or_none(one: Note, data: st.DataObject) -> None:
    changed = bytearray(one.to_bytes())
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    try:
        other = note.parse(bytes(changed))
    except NoteError:
        return
    assert other != one
    assert other.to_bytes() == changed


@given(KEYS)
def test_a_verifier_key_reads_back(key: VerifierKey) -> None:
    assert VerifierKey.parse(key.format()) == key


@given(CHECKPOINTS)
def test_a_checkpoint_reads_back(one: Checkpoint) -> None:
    assert Checkpoint.parse(one.text()) == one


@given(st.text(max_size=80) | CHECKPOINTS.map(lambda one: one.text() + "x\n"))
def test_garbage_is_refused_in_one_way(text: str) -> None:
    for read, failure in ((Checkpoint.parse, CheckpointError), (VerifierKey.parse, NoteError)):
        try:
            read(text)
        except failure:
            continue
        raise AssertionError(f"{text!r} was read")
