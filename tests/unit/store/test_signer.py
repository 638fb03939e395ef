"""The signer remembers what it signed and refuses any other past."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.tree import consistency_proof, leaf_hash, root_of
from coverslip.store.notes import NoteVerifier
from coverslip.store.signer import Signer, read_journal
from coverslip.store.signer_socket import SignerClient, SignerServer

LEAVES = [leaf_hash(bytes([n])) for n in range(40)]


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    made = Signer.create(tmp_path / "signer", "lab.example/log")
    yield made
    made.close()


def grow(signer: Signer, old: int, new: int) -> None:
    proof = consistency_proof(LEAVES[:new], old) if old else []
    signer.sign(new, root_of(LEAVES[:new]), proof)


def test_a_note_is_verified_by_the_public_key_and_holds_size_and_root(signer: Signer) -> None:
    signed = signer.sign(3, root_of(LEAVES[:3]), [])
    parsed = note.parse(signed.note)
    note.verify(parsed, [NoteVerifier(note.VerifierKey.parse(signer.vkey()))])
    assert Checkpoint.parse(parsed.text) == Checkpoint("lab.example/log", 3, root_of(LEAVES[:3]))


def test_a_tree_that_extends_the_signed_one_is_signed(signer: Signer) -> None:
    grow(signer, 0, 3)
    grow(signer, 3, 17)
    assert signer.last().size == 17  # type: ignore[union-attr]


def test_the_same_tree_again_gives_the_same_note(signer: Signer) -> None:
    one = signer.sign(3, root_of(LEAVES[:3]), [])
    assert signer.sign(3, root_of(LEAVES[:3]), []) == one
    assert signer.last() == one


@pytest.mark.parametrize(
    ("size", "root", "proof"),
    [
        (2, root_of(LEAVES[:2]), []),
        (5, b"\x01" * 32, []),
        (9, root_of(LEAVES[:9]), []),
        (9, b"\x01" * 32, consistency_proof(LEAVES[:9], 5)),
        (9, root_of(LEAVES[1:10]), consistency_proof(LEAVES[1:10], 5)),
    ],
    ids=["smaller", "another root", "no proof", "root of nothing", "another history"],
)
def test_any_other_tree_is_refused_and_not_remembered(
    signer: Signer, size: int, root: bytes, proof: list[bytes]
) -> None:
    grow(signer, 0, 5)
    with pytest.raises(EvidenceBroken) as caught:
        signer.sign(size, root, proof)
    assert caught.value.code == "RECOVERY_REQUIRED"
    assert signer.last().size == 5  # type: ignore[union-attr]


def test_the_memory_survives_the_process(signer: Signer, tmp_path: Path) -> None:
    grow(signer, 0, 5)
    signer.close()
    again = Signer(tmp_path / "signer", "lab.example/log")
    with pytest.raises(EvidenceBroken):
        again.sign(4, root_of(LEAVES[:4]), [])
    again.close()


def test_a_torn_last_line_is_dropped_and_any_other_damage_is_refused(signer: Signer, tmp_path: Path) -> None:
    grow(signer, 0, 5)
    grow(signer, 5, 9)
    signer.close()
    journal = tmp_path / "signer" / "journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    again = Signer(tmp_path / "signer", "lab.example/log")
    assert again.last().size == 5  # type: ignore[union-attr]
    grow(again, 5, 9)
    again.close()
    assert journal.read_bytes() == whole
    journal.write_bytes(whole.replace(b'"size": 5', b'"size": 50'))
    with pytest.raises(EvidenceBroken):
        read_journal(journal)


def test_only_one_process_holds_the_signer(signer: Signer, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault):
        Signer(tmp_path / "signer", "lab.example/log")


def test_a_key_readable_by_others_is_refused(signer: Signer, tmp_path: Path) -> None:
    signer.close()
    (tmp_path / "signer" / "signing.key").chmod(0o644)
    with pytest.raises(EnvironmentFault):
        Signer(tmp_path / "signer", "lab.example/log")


def test_a_second_key_is_never_made_over_the_first(signer: Signer, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        Signer.create(tmp_path / "signer", "lab.example/log")


@pytest.fixture
def client(signer: Signer, tmp_path: Path) -> Iterator[SignerClient]:
    server = SignerServer(signer, tmp_path / "s").start()
    yield SignerClient(tmp_path / "s")
    server.stop()


def test_the_socket_answers_as_the_signer_does(client: SignerClient, signer: Signer) -> None:
    assert client.vkey() == signer.vkey() and client.last() is None
    signed = client.sign(5, root_of(LEAVES[:5]), [])
    assert signed == signer.last() == client.last()
    with pytest.raises(EvidenceBroken) as caught:
        client.sign(4, root_of(LEAVES[:4]), [])
    assert caught.value.values["signed"] == 5 and caught.value.values["found"] == 4
    receipt = client.receipt(
        "01932c07-209d-7000-8000-000000000000", b"\x01" * 32, "2026-11-21T04:00:00.000000Z"
    )
    assert receipt.startswith(b"coverslip receipt v1\nlab.example/log\n")


@pytest.mark.parametrize("line", [b"no json\n", b"[]\n", b'{"op":"drop"}\n', b'{"op":"sign"}\n', b'"x"\n'])
def test_garbage_on_the_socket_is_answered_without_harm(
    client: SignerClient, tmp_path: Path, line: bytes
) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(tmp_path / "s"))
        raw.sendall(line)
        answer = json.loads(raw.makefile("rb").readline())
    assert answer["ok"] is False
    assert client.last() is None


def test_a_line_beyond_the_limit_ends_the_connection(client: SignerClient, tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(tmp_path / "s"))
        raw.settimeout(5)
        try:
            raw.sendall(b"x" * 200_000)
            assert raw.recv(10) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert client.last() is None


def test_the_socket_is_for_its_owner_and_a_second_server_is_refused(
    client: SignerClient, signer: Signer, tmp_path: Path
) -> None:
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0
    with pytest.raises(EnvironmentFault):
        SignerServer(signer, tmp_path / "s").start()


def test_no_signer_is_told_as_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        SignerClient(tmp_path / "nowhere").last()
    assert caught.value.code == "UNAVAILABLE"


def test_another_key_in_the_signers_folder_signs_nothing_and_both_are_named(tmp_path: Path) -> None:
    first = Signer.create(tmp_path / "signer", "lab.example/log")
    first.sign(1, root_of([leaf_hash(b"a")]), [])
    first.close()
    other = Signer.create(tmp_path / "other", "lab.example/log")
    other.close()
    own = (tmp_path / "signer" / "signing.key").read_bytes()
    (tmp_path / "signer" / "signing.key").write_bytes((tmp_path / "other" / "signing.key").read_bytes())
    with pytest.raises(EnvironmentFault) as caught:
        Signer(tmp_path / "signer", "lab.example/log")
    for key in (first.vkey(), other.vkey()):
        assert key.split("+")[1] in caught.value.message
    (tmp_path / "signer" / "signing.key").write_bytes(own)
    Signer(tmp_path / "signer", "lab.example/log").close()
