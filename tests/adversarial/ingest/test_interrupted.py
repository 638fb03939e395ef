"""Every step of a delivery failed or cut off: sent again it is one image, whole, with the same answer."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.ingest.delivery import PREFIX
from coverslip.ledger import canonical
from fix_faults import CRASHED, HOWS, Faults
from fix_lab import Lab


def pixels() -> bytes:
    out = io.BytesIO()
    seed = int.from_bytes(os.urandom(4), "big")
    tifffile.imwrite(out, np.random.default_rng(seed).integers(0, 60_000, (16, 16), dtype=np.uint16))
    return out.getvalue()


def given(lab: Lab, data: bytes) -> dict[str, Any]:
    name = f"{os.urandom(6).hex()}.tif"
    told = {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "sequence": 1}
    signed = {"device": lab.n["instrument"], "session": lab.n["session"], **told}
    manifest = told | {"signature": lab.device_key.sign(PREFIX + canonical.encode(signed)).hex()}
    return {
        "home": str(lab.home.root), "context": dataclasses.asdict(lab.device()), "session": lab.n["session"],
        "manifest": manifest, "data": data.hex(), "imports": ["coverslip.bootstrap.labs"],
    }  # fmt: skip


def images(lab: Lab, name: str) -> list[tuple[str, str]]:
    return [
        (str(number), str(state))
        for number, state in lab.ask(
            "select number, state from projection.record where type = 'image' and title = %s", name
        )
    ]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("state", ["available", "quarantined"])
def test_whatever_step_of_a_delivery_is_struck_sent_again_it_is_one_image(
    lab: Lab, faults: Faults, how: str, state: str
) -> None:
    before = lab.vault.check().findings  # what other modules damaged on purpose
    calls: list[str] = []
    at = 0
    while True:
        asked = given(lab, pixels() if state == "available" else b"no picture at all " + os.urandom(8))
        name = asked["manifest"]["name"]
        ended = faults.run("deliver", asked, at, how)
        if len(ended.calls) <= at:
            break
        where = f"{how} {ended.calls[at]}"
        calls.append(ended.calls[at])
        if ended.status == CRASHED:
            half = images(lab, name)
            assert len(half) <= 1 and all(now in ("registering", state) for _, now in half), where
            ended = faults.run("deliver", asked)
        assert ended.status == 0, (where, ended.error)
        assert images(lab, name) == [(ended.answer["number"], state)], where
        again = faults.run("deliver", asked)
        assert again.answer == ended.answer, where
        at += 1
    last = "commit" if state == "available" else "quarantine"
    act = "accept" if state == "available" else "quarantine"
    assert calls == ["vault receive", "door submit create", f"vault {last}", f"door submit {act}"]
    assert lab.replay() == [] and lab.vault.check().findings == before
