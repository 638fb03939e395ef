"""A witness answers as C2SP tlog-witness says and cosigns one history of a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coverslip.anchoring.cosigner import cosigned_at
from coverslip.anchoring.witness import SIZE_TYPE, hashed, know, request_of
from coverslip.anchoring.witness_client import cosigned
from coverslip.errors import EnvironmentFault
from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from fix_witness import ORIGIN, Log, open_witness


def key_of(witness: Any) -> note.VerifierKey:
    return note.VerifierKey.parse(witness.vkey())


def test_the_first_checkpoint_is_cosigned(witness: Any, log: Log) -> None:
    answer = witness.add_checkpoint(log.request(0, 5))
    assert answer.status == 200
    made = cosigned(log.checkpoint(5) + answer.body, key_of(witness))
    assert cosigned_at(made) == 1_790_000_000


def test_a_checkpoint_that_extends_the_last_is_cosigned(witness: Any, log: Log) -> None:
    assert [witness.add_checkpoint(log.request(a, b)).status for a, b in ((0, 5), (5, 17), (17, 17))] == [
        200
    ] * 3


def test_another_old_size_is_answered_with_the_known_one(witness: Any, log: Log) -> None:
    witness.add_checkpoint(log.request(0, 5))
    answer = witness.add_checkpoint(log.request(3, 9))
    assert (answer.status, answer.body, answer.kind) == (409, b"5\n", SIZE_TYPE)


def test_an_old_size_beyond_the_checkpoint_is_malformed(witness: Any, log: Log) -> None:
    assert witness.add_checkpoint(request_of(9, [], log.checkpoint(5))).status == 400


@pytest.mark.parametrize("spoil", ["missing", "changed", "extra", "from nothing"])
def test_a_proof_that_does_not_hold_is_refused(witness: Any, log: Log, spoil: str) -> None:
    witness.add_checkpoint(log.request(0, 5)) if spoil != "from nothing" else None
    proof = log.prove(5, 17)
    wrong = {
        "missing": proof[:-1],
        "changed": [b"\x01" * 32, *proof[1:]],
        "extra": [*proof, b"\x01" * 32],
        "from nothing": [b"\x01" * 32],
    }[spoil]
    old = 0 if spoil == "from nothing" else 5
    assert witness.add_checkpoint(request_of(old, wrong, log.checkpoint(17))).status == 422
    assert witness.add_checkpoint(log.request(old, 17)).status == 200


def test_an_unknown_log_is_not_found(witness: Any) -> None:
    assert witness.add_checkpoint(Log(origin="other.example/log").request(0, 5)).status == 404


def test_a_log_signed_by_another_key_is_forbidden(witness: Any) -> None:
    assert witness.add_checkpoint(Log(seed=7).request(0, 5)).status == 403


def test_a_false_signature_by_the_known_key_is_forbidden(witness: Any, log: Log) -> None:
    sealed = note.parse(log.checkpoint(5))
    text = Checkpoint(ORIGIN, 6, b"\x01" * 32).text()
    false = note.Note(text, sealed.signatures).to_bytes()
    assert witness.add_checkpoint(request_of(0, [], false)).status == 403


def test_an_empty_tree_with_a_root_is_refused(witness: Any, log: Log) -> None:
    text = f"{ORIGIN}\n0\n{log.checkpoint(1).decode().splitlines()[2]}\n"
    sealed = note.sign(text, [log.key]).to_bytes()
    assert witness.add_checkpoint(request_of(0, [], sealed)).status == 422


@pytest.mark.parametrize(
    "request_body",
    [
        b"",
        b"old 0\n",
        b"old 00\n\nx",
        b"old -1\n\n",
        b"new 0\n\nx\n\n",
        b"old 0\nnot base64\n\nx",
        b"\xff" * 50,
        b"old 0\n" + b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 64 + b"\nx",
    ],
)
def test_what_is_no_request_is_malformed(witness: Any, request_body: bytes) -> None:
    assert witness.add_checkpoint(request_body).status == 400


def test_monitors_get_the_cosigned_note_with_the_logs_signature(witness: Any, log: Log) -> None:
    assert witness.checkpoint(hashed(ORIGIN)).status == 404
    witness.add_checkpoint(log.request(0, 5))
    answer = witness.checkpoint(hashed(ORIGIN))
    cosigned(answer.body, key_of(witness))
    assert note.parse(answer.body).signatures[0] == note.parse(log.checkpoint(5)).signatures[0]


def test_two_witnesses_cannot_hold_one_folder(witness: Any, witness_folder: Path) -> None:
    with pytest.raises(EnvironmentFault, match="another process"):
        open_witness(witness_folder)


def test_it_remembers_after_it_was_closed(witness: Any, witness_folder: Path, log: Log) -> None:
    witness.add_checkpoint(log.request(0, 5))
    witness.close()
    again = open_witness(witness_folder)
    assert again.add_checkpoint(log.request(0, 9)).body == b"5\n"
    assert again.add_checkpoint(log.request(5, 9)).status == 200
    again.close()


def test_a_torn_last_line_was_never_answered_and_is_dropped(
    witness: Any, witness_folder: Path, log: Log
) -> None:
    witness.add_checkpoint(log.request(0, 5))
    witness.close()
    journal = witness_folder / "logs" / hashed(ORIGIN) / "journal"
    journal.write_bytes(journal.read_bytes() + b'{"size": 9, "ro')
    again = open_witness(witness_folder)
    assert again.standing()[0]["size"] == 5
    again.close()


def test_keys_of_two_logs_are_not_one_log(tmp_path: Path) -> None:
    keys = [Log(origin=origin).key.verifier_key.format() for origin in ("a.example/x", "b.example/x")]
    with pytest.raises(EnvironmentFault, match="keys of one log"):
        know(tmp_path, keys)


# --- keys ------------------------------------------------------------------------------------------


def test_a_change_of_key_signed_by_both_is_followed(witness: Any, witness_folder: Path, log: Log) -> None:
    witness.add_checkpoint(log.request(0, 5))
    statement, new = log.rotate(5)
    old = log.key
    assert witness.add_rotation(statement).status == 200
    log.key = new
    assert witness.add_checkpoint(log.request(5, 9)).status == 200
    log.key = old
    assert witness.add_checkpoint(log.request(9, 12)).status == 403
    witness.close()
    again = open_witness(witness_folder)
    log.key = new
    assert again.add_rotation(statement).body == b"known\n"
    assert again.add_checkpoint(log.request(9, 12)).status == 200
    again.close()


@pytest.mark.parametrize("by", [("old",), ("new",), ("new", "new")])
def test_a_change_of_key_signed_by_one_is_not(witness: Any, log: Log, by: tuple[str, ...]) -> None:
    statement, new = log.rotate(5, by=by)
    assert witness.add_rotation(statement).status == 403
    log.key = new
    assert witness.add_checkpoint(log.request(0, 5)).status == 403


def test_a_retired_key_cannot_name_another_successor(witness: Any, log: Log) -> None:
    assert witness.add_rotation(log.rotate(5)[0]).status == 200
    assert witness.add_rotation(log.rotate(5, seed=3)[0]).status == 409


# --- mirror ----------------------------------------------------------------------------------------


def framed(log: Log, first: int, last: int) -> bytes:
    return b"".join(len(one).to_bytes(4, "big") + one for one in log.leaves[first:last])


def test_leaves_that_lead_to_the_cosigned_root_are_kept(witness_folder: Path, log: Log) -> None:
    mirroring = open_witness(witness_folder, mirrored=True)
    mirroring.add_checkpoint(log.request(0, 9))
    name = hashed(ORIGIN)
    assert mirroring.mirrored(name).body == b"0\n"
    assert mirroring.add_leaves(name, 0, framed(log, 0, 4)).status == 200
    assert mirroring.add_leaves(name, 4, framed(log, 4, 9)).status == 200
    assert mirroring.standing()[0]["mirrored"] == 9
    mirroring.close()
    again = open_witness(witness_folder, mirrored=True)
    assert again.mirrored(name).body == b"9\n"
    again.close()


def test_leaves_of_another_tree_are_thrown_away(witness_folder: Path, log: Log) -> None:
    mirroring = open_witness(witness_folder, mirrored=True)
    mirroring.add_checkpoint(log.request(0, 9))
    name = hashed(ORIGIN)
    assert mirroring.add_leaves(name, 0, framed(log.fork(), 0, 9)).status == 422
    assert mirroring.add_leaves(name, 0, framed(log, 0, 12)).status == 422
    assert mirroring.add_leaves(name, 0, b"\x00\x00\x00\x02{}").status == 422
    assert mirroring.mirrored(name).body == b"0\n"
    assert mirroring.add_leaves(name, 0, framed(log, 0, 9)).status == 200
    mirroring.close()


def test_leaves_changed_on_the_witness_are_found_when_it_starts(witness_folder: Path, log: Log) -> None:
    from coverslip.errors import EvidenceBroken

    mirroring = open_witness(witness_folder, mirrored=True)
    mirroring.add_checkpoint(log.request(0, 9))
    mirroring.add_leaves(hashed(ORIGIN), 0, framed(log, 0, 9))
    mirroring.close()
    kept = witness_folder / "logs" / hashed(ORIGIN) / "mirror" / "leaves"
    data = bytearray(kept.read_bytes())
    data[100] ^= 1
    kept.write_bytes(bytes(data))
    with pytest.raises(EvidenceBroken, match="another root"):
        open_witness(witness_folder, mirrored=True)
