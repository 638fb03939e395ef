"""What a passkey signed leaves with its record and is checked without the installation; bent, it is found."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.labs import Lab as Opened, lab as open_lab
from coverslip.kernel.change import Change
from coverslip.verifier import statement
from coverslip.verifier.cli import main as verify
from fix_lab import SHOWN, Lab
from fix_passkey import sign_with, with_passkey


def integrate(lab: Lab) -> None:
    """Integrate and sign whatever waits."""
    sequencer = sequencer_of(lab.home, lab.signer)
    while not (done := sequencer.step()).leader or done.integrated:
        time.sleep(0.01)
    sequencer.close()


@pytest.fixture(scope="module")
def signed(lab: Lab) -> str:
    """An SOP that its author submitted with a passkey."""
    key = with_passkey(lab, lab.rex)
    sop = lab.rex.create(
        "document_sop", title="Counting", criticality="gxp", body="1.", change_summary="First.",
        training_depth="none", audience=[], effective_date="2099-01-01",
    )  # fmt: skip
    sign_with(lab, lab.rex, key, Change("submit", number=sop, expected_version=1, shown=SHOWN))
    return sop


def signature_of(lab: Lab, number: str) -> dict[str, Any]:
    """Return the newest signature section of a record."""
    found = [e["sections"]["signature"] for e in lab.history(number) if "signature" in e["sections"]]
    return dict(found[-1])


@pytest.fixture
def opened(lab: Lab) -> Iterator[Opened]:
    assert lab.quinn.context.person
    with open_lab(lab.home) as found:
        yield found


def test_a_bundle_with_a_passkeys_signature_verifies_offline_and_damaged_does_not(
    lab: Lab, opened: Opened, signed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, target = io.BytesIO(), tmp_path / "copy.zip"
    integrate(lab)
    opened.exports().bundle(lab.row(signed), lab.quinn.context, "", out)
    target.write_bytes(out.getvalue())
    assert verify([str(target), "--keys", str(lab.home.public_keys)]) == 0
    assert "verdict: holds" in capsys.readouterr().out
    client = signature_of(lab, signed)["client_data"].encode()
    where = out.getvalue().find(client)
    data = bytearray(out.getvalue())
    data[where if where >= 0 else len(data) // 2] ^= 1
    target.write_bytes(bytes(data))
    assert verify([str(target), "--keys", str(lab.home.public_keys)]) == 1


def _flags(made: dict[str, Any]) -> None:
    data = bytearray.fromhex(made["authenticator_data"])
    data[32] &= ~0x04
    made["authenticator_data"] = data.hex()


def _counter(made: dict[str, Any]) -> None:
    made["authenticator_data"] = made["authenticator_data"][:-2] + "ff"


def _page(made: dict[str, Any]) -> None:
    made["client_data"] = bytes.fromhex(made["client_data"]).replace(b"localhost", b"evilhosts").hex()


def _statement(made: dict[str, Any]) -> None:
    made["statement"]["meaning"] = "approved"


def _unsigned(made: dict[str, Any]) -> None:
    made["scheme"] = "p256-wrapped"


@pytest.mark.parametrize("bend", [_flags, _counter, _page, _statement, _unsigned])
def test_a_passkeys_signature_that_was_bent_does_not_hold(lab: Lab, signed: str, bend: Any) -> None:
    made = deepcopy(signature_of(lab, signed))
    statement.parse(made).verify()
    bend(made)
    with pytest.raises(ValueError, match=r"passkey|signature"):
        statement.parse(made).verify()
