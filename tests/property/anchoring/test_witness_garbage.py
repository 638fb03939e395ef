"""Whatever is sent to a witness, it answers; nothing but an extension moves what it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from coverslip.anchoring.witness import Witness, hashed, know, request_of
from coverslip.ledger.tree import consistency_proof
from fix_witness import ORIGIN, Log, open_witness

LOG = Log()
SIZES = st.integers(0, 40)


@pytest.fixture(scope="module")
def standing_witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    folder: Path = tmp_path_factory.mktemp("witness")
    know(folder, [LOG.key.verifier_key.format()])
    made = open_witness(folder, mirrored=True)
    assert made.add_checkpoint(LOG.request(0, 17)).status == 200
    yield made
    made.close()


def remembered(witness: Witness) -> int:
    return int(witness.standing()[0]["size"])


@given(data=st.binary(max_size=400), cut=st.integers(0, 600), at=st.integers(0, 600))
def test_garbage_and_spoiled_requests_move_nothing(
    standing_witness: Witness, data: bytes, cut: int, at: int
) -> None:
    honest = LOG.request(17, 23)
    spoiled = honest[:at] + data + honest[at + cut :]
    if spoiled == honest:
        return
    for request in (data, spoiled):
        assert standing_witness.add_checkpoint(request).status in (400, 403, 404, 409, 422)
    assert standing_witness.add_rotation(data).status == 403
    assert standing_witness.add_leaves(hashed(ORIGIN), 0, data + b"\x00").status == 422
    assert remembered(standing_witness) == 17


@given(old=SIZES, new=SIZES, proof_from=st.integers(1, 40), fork=st.booleans())
def test_only_what_extends_the_seventeen_is_cosigned(
    tmp_path_factory: pytest.TempPathFactory, old: int, new: int, proof_from: int, fork: bool
) -> None:
    folder = tmp_path_factory.mktemp("w")
    know(folder, [LOG.key.verifier_key.format()])
    witness = open_witness(folder)
    witness.add_checkpoint(LOG.request(0, 17))
    log = LOG.fork() if fork else LOG
    proof = consistency_proof(log.hashes[:new], proof_from) if proof_from < new else []
    honest = not fork and old == 17 and new >= 17 and (proof_from == 17 or new == 17)
    answer = witness.add_checkpoint(request_of(old, proof if new != 17 else [], log.checkpoint(new)))
    witness.close()
    if honest and (new == 17 or proof_from < new):
        assert answer.status == 200
    elif answer.status == 200:
        # another starting point can have the same proof; never another history
        assert not fork
        assert old == 17
        assert new >= 17
