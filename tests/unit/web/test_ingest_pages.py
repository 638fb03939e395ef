"""Files brought by hand: they wait for a second person, whose series of signatures verifies them."""

from __future__ import annotations

import hashlib
import io
import secrets

import numpy as np
import tifffile

from coverslip.ledger import canonical
from coverslip.web.security import csrf_token
from fix_lab import Lab, secret_of
from fix_reader import ORIGIN, Form, Reader

REASON = "The instrument has no network at present"


def _sample() -> bytes:
    """Return a small TIFF whose pixels are its own at every call."""
    pixels = np.random.default_rng(secrets.randbits(32)).integers(0, 4000, (16, 16), dtype=np.uint16)
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, resolution=(10_000, 10_000), resolutionunit="CENTIMETER")
    return out.getvalue()


def _brought(lab: Lab, olga: Reader) -> str:
    """Bring an image by form; return the number under which it waits for a second person."""
    study = lab.new_study()
    lab.start_study(study)
    files = [("files", ("hand.tif", _sample(), "image/tiff"))]
    brought = olga.post("/ingest/upload", files=files, to=study, reason=REASON)
    assert brought.status_code == 200, brought.text[:500]
    waiting = [r for r in lab.services().reading.page("image", "registering", "", "", 50)[0]
               if r.fields["name"] == "hand.tif"]  # fmt: skip
    assert waiting, brought.text
    return waiting[0].number


def test_a_file_brought_by_form_waits_for_a_second_person_and_a_series_verifies_it(lab: Lab) -> None:
    olga, rita = Reader(lab, "olga"), Reader(lab, "rita")
    number = _brought(lab, olga)
    assert number in olga.get("/ingest")
    assert number not in olga.get("/series?type=image&act=verify_import")
    form = Form.of(rita.get("/series?type=image&act=verify_import"))
    typed = form.values | {"username": "rita", "password": secret_of("rita"), "confirm": number}
    done = rita.client.post("/series?type=image&act=verify_import", data=typed, headers={"origin": ORIGIN})
    assert "1 signed of 1" in done.text, done.text
    assert lab.row(number).people["signed_verified"] == [lab.rita.uid]


def test_a_series_signs_nothing_that_was_not_confirmed(lab: Lab) -> None:
    rita = Reader(lab, "rita")
    number = _brought(lab, Reader(lab, "olga"))
    before = lab.row(number)
    answer = rita.post("/series?type=image&act=verify_import", username="rita", password=secret_of("rita"))
    assert answer.status_code == 422
    after = lab.row(number)
    assert (after.version, after.state) == (before.version, "registering")
    assert not after.people.get("signed_verified")


def test_a_file_with_its_hash_ahead_is_refused_when_other_bytes_come(lab: Lab) -> None:
    study = lab.new_study()
    lab.start_study(study)
    olga = Reader(lab, "olga")
    data = _sample() + b"one byte more"
    manifest = {"name": "ahead.tif", "size": len(data), "sha256": hashlib.sha256(b"x").hexdigest(),
                "sequence": 1, "reason": REASON}  # fmt: skip
    headers = {
        "origin": ORIGIN,
        "x-csrf-token": csrf_token(olga.token),
        "coverslip-manifest": canonical.encode(manifest).hex(),
    }
    answer = olga.client.put(f"/ingest/{study}/upload", content=data, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["code"] == "VAL_FORM"
    without = olga.client.put(
        f"/ingest/{study}/upload", content=data, headers=headers | {"x-csrf-token": "no"}
    )
    assert without.status_code == 403
