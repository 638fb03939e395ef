"""A second history is refused by the witness, whatever happens to it in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from coverslip.anchoring.refusal import AnchorRefused
from coverslip.anchoring.witness import hashed, request_of
from coverslip.anchoring.witness_client import WitnessAnchor
from coverslip.bootstrap import witnessing
from coverslip.errors import EnvironmentFault
from coverslip.ledger import note
from fix_witness import NAME, ORIGIN, Log, Program


@pytest.fixture
def program(tmp_path: Path, log: Log) -> Iterator[tuple[Program, note.VerifierKey]]:
    """A running witness of its own process that knows ``log``."""
    folder = tmp_path / "apart"
    made = witnessing.witness_init(folder, NAME, [log.key.verifier_key.format()])
    running = Program(folder, "--mirror").start()
    yield running, note.VerifierKey.parse(made["key"])
    running.stop()


def anchor(program: Program, key: note.VerifierKey, log: Log) -> WitnessAnchor:
    return WitnessAnchor(program.url, key, log.prove, leaves=lambda a, b: log.leaves[a:b])


def post(program: Program, body: bytes) -> int:
    return httpx.post(f"{program.url}/add-checkpoint", content=body).status_code


def test_after_kill_9_it_goes_on_where_it_was_and_refuses_the_fork(program: Any, log: Log) -> None:
    running, key = program
    honest = anchor(running, key, log)
    honest.put(log.checkpoint(9))
    for size in (12, 23):
        running.kill()
        running.start()
        assert post(running, log.fork().request(size - 1, size)) == 409
        with pytest.raises(AnchorRefused, match="another history"):
            anchor(running, key, log.fork()).put(log.fork().checkpoint(size))
        honest.put(log.checkpoint(size))
    running.kill()
    running.stop()
    (standing,) = witnessing.witness_status(running.folder)["logs"]
    assert (standing["size"], standing["conflict_bytes"] > 0) == (23, True)


def test_a_log_rolled_back_is_refused_and_the_honest_one_goes_on(program: Any, log: Log) -> None:
    running, key = program
    anchor(running, key, log).put(log.checkpoint(17))
    running.kill()
    running.start()
    with pytest.raises(AnchorRefused, match="rolled back"):
        anchor(running, key, log).put(log.checkpoint(9))
    anchor(running, key, log).put(log.checkpoint(18))


def test_killed_between_any_two_requests_it_never_cosigns_two_roots_of_one_size(
    program: Any, log: Log
) -> None:
    running, key = program
    seen: dict[int, set[bytes]] = {}
    histories = (log, log.fork())
    for turn, size in enumerate(range(8, 40, 8)):
        for history in histories if turn % 2 else reversed(histories):
            try:
                made = anchor(running, key, history).put(history.checkpoint(size))
            except AnchorRefused:
                continue
            seen.setdefault(size, set()).add(made.split(b"\n")[2])
        running.kill()
        running.start()
    assert seen
    assert all(len(roots) == 1 for roots in seen.values())


def test_every_leaf_it_mirrors_leads_to_what_it_cosigned(program: Any, log: Log) -> None:
    running, key = program
    honest = anchor(running, key, log)
    honest.put(log.checkpoint(9))
    running.kill()
    running.start()
    honest.put(log.checkpoint(31))
    assert httpx.get(f"{running.url}/coverslip/v1/mirror/{hashed(ORIGIN)}").text == "31\n"
    kept = running.folder / "logs" / hashed(ORIGIN) / "mirror" / "leaves"
    assert kept.read_bytes() == b"".join(len(one).to_bytes(4, "big") + one for one in log.leaves[:31])


def test_a_witness_that_lies_is_no_evidence(program: Any, log: Log) -> None:
    running, _ = program
    with pytest.raises(AnchorRefused, match="cosignature does not hold"):
        anchor(running, note.VerifierKey(NAME, note.COSIGNATURE, b"\x05" * 32), log).put(log.checkpoint(9))


def test_a_body_without_end_is_not_read(program: Any) -> None:
    running, _ = program
    answer = httpx.post(f"{running.url}/add-checkpoint", content=b"x" * (300 * 1024))
    assert answer.status_code == 413


@pytest.mark.parametrize("by", [("old",), ("new",)])
def test_a_change_of_key_forged_by_one_side_opens_nothing(
    program: Any, log: Log, by: tuple[str, ...]
) -> None:
    running, key = program
    anchor(running, key, log).put(log.checkpoint(9))
    statement, new = log.rotate(9, by=by)
    log.key = new
    forged = WitnessAnchor(running.url, key, log.prove, rotations=lambda: [statement])
    with pytest.raises(AnchorRefused, match="403"):
        forged.put(log.checkpoint(12))


def test_a_change_of_key_by_both_is_followed_through_a_kill(program: Any, log: Log) -> None:
    running, key = program
    anchor(running, key, log).put(log.checkpoint(9))
    statement, new = log.rotate(9)
    log.key = new
    WitnessAnchor(running.url, key, log.prove, rotations=lambda: [statement]).put(log.checkpoint(12))
    running.kill()
    running.start()
    anchor(running, key, log).put(log.checkpoint(15))


def test_off_the_loopback_it_needs_a_certificate(tmp_path: Path) -> None:
    folder = tmp_path / "apart"
    witnessing.witness_init(folder, NAME, [])
    with pytest.raises(EnvironmentFault, match="certificate"):
        witnessing.witness_serve(folder, "0.0.0.0", 0)  # noqa: S104


@pytest.mark.parametrize("spoil", ["deleted", "emptied"])
def test_a_witness_that_lost_its_memory_starts_no_second_history(program: Any, log: Log, spoil: str) -> None:
    running, key = program
    anchor(running, key, log).put(log.checkpoint(17))
    running.kill()
    journal = running.folder / "logs" / hashed(ORIGIN) / "journal"
    kept = journal.read_bytes()
    journal.unlink() if spoil == "deleted" else journal.write_bytes(b"")
    with pytest.raises(AssertionError, match="missing or empty"):
        running.start()
    running.stop()
    with pytest.raises(EnvironmentFault, match="missing or empty"):
        witnessing.witness_status(running.folder)
    with pytest.raises(EnvironmentFault, match="missing or empty"):
        witnessing.witness_know(running.folder, [log.key.verifier_key.format()])
    assert not journal.exists() or journal.stat().st_size == 0
    journal.write_bytes(kept)
    running.start()
    assert post(running, log.fork().request(17, 18)) == 422
    anchor(running, key, log).put(log.checkpoint(18))


def test_after_a_proven_fork_nothing_is_cosigned_until_the_operator_decides(program: Any, log: Log) -> None:
    running, key = program
    anchor(running, key, log).put(log.checkpoint(17))
    assert post(running, log.fork().request(17, 17)) == 422
    running.kill()
    running.start()
    with pytest.raises(AnchorRefused, match="signed two histories"):
        anchor(running, key, log).put(log.checkpoint(18))
    running.stop()
    (standing,) = witnessing.witness_status(running.folder)["logs"]
    assert (standing["size"], standing["forked"]) == (17, True)
    (running.folder / "logs" / hashed(ORIGIN) / "fork").unlink()
    running.start()
    anchor(running, key, log).put(log.checkpoint(18))


def test_a_strangers_replay_of_what_is_public_stops_no_witness(program: Any, log: Log) -> None:
    running, key = program
    anchor(running, key, log).put(log.checkpoint(17))
    assert post(running, log.request(3, 9)) == 409
    assert post(running, request_of(17, [b"\x01" * 32], log.checkpoint(23))) == 422
    anchor(running, key, log).put(log.checkpoint(23))
