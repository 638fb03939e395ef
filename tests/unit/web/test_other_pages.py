"""Documents compared, training, help, lists as tables, files brought by hand, and series of signatures."""

from __future__ import annotations

import hashlib
import io
import secrets

import numpy as np
import pytest
import tifffile

from coverslip.kernel.identity import Place
from coverslip.ledger import canonical
from coverslip.web.comparing import compared
from coverslip.web.security import csrf_token
from fix_lab import Lab, refused, secret_of
from fix_reader import ORIGIN, Form, Reader

REASON = "The instrument has no network at present"


@pytest.fixture
def quinn(lab: Lab) -> Reader:
    return Reader(lab, "quinn")


def test_a_comparison_keeps_every_word_of_both_sides() -> None:
    old, new = "Check the lamp. Count nuclei.", "Check the lamp twice. Count all nuclei."
    found = compared(old, new)
    assert "".join(o for _, o, _ in found) == old
    assert "".join(n for _, _, n in found) == new
    assert ("same", "Check ", "Check ") in [
        (k, o.split(" ")[0] + " ", n.split(" ")[0] + " ") for k, o, n in found
    ]


def test_documents_in_force_are_shown_and_those_on_the_way_apart(lab: Lab, quinn: Reader) -> None:
    draft = lab.new_sop("A draft of its own")
    shown = quinn.get("/documents")
    assert "POL-0001" in shown
    assert draft not in shown
    assert draft in quinn.get("/documents?show=on_the_way")
    assert draft in quinn.get("/documents?show=all")


def test_the_training_matrix_says_who_lacks_what_in_words(lab: Lab, quinn: Reader) -> None:
    page = quinn.get("/training")
    assert "Training matrix" in page
    for cell in lab.services().teaching.show()["gaps"][:5]:
        assert cell["name"] in page


def test_a_list_is_sorted_filtered_and_counted_by_its_address(lab: Lab, quinn: Reader) -> None:
    first, second = lab.new_sop("Alpha of lists"), lab.new_sop("Omega of lists")
    rising = quinn.get("/types/document_sop?q=of lists&sort=title")
    falling = quinn.get("/types/document_sop?q=of lists&sort=-title")
    assert rising.index(first) < rising.index(second)
    assert falling.index(second) < falling.index(first)
    assert 'aria-sort="descending"' in falling
    assert "2 of 2" in rising
    quinn.get("/types/document_sop?sort=secret", 422)
    quinn.get("/types/document_sop?state=elsewhere", 422)


def test_a_list_leaves_as_a_table_with_its_filter_and_an_entry(lab: Lab, quinn: Reader) -> None:
    number = lab.new_sop("=HYPERLINK(1)")
    before = lab.entries()
    answer = quinn.post("/types/document_sop/csv?q=HYPERLINK")
    text = answer.content.decode()
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "number or title contains HYPERLINK" in text
    assert number in text
    assert ",=HYPERLINK" not in text
    assert lab.entries() == before + 1


def test_a_number_typed_whole_leads_to_its_record(lab: Lab, quinn: Reader) -> None:
    number = lab.new_sop()
    assert quinn.where(f"/search?q={number.lower()}") == f"/r/{number}"
    assert "No record matches" in quinn.get("/search?q=SOP-9999")


def test_the_manual_is_shipped_and_leads_nowhere_else(quinn: Reader) -> None:
    page = quinn.get("/help")
    assert "Keep accounts safe" in page
    assert "10 failed sign-ins" in quinn.get("/help/how-to/accounts")
    assert "21 CFR 11.10(e)" in quinn.get("/help/controls")
    for name in ("../../pyproject", "how-to/none", "..%2f..%2fREADME", "decisions/README"):
        quinn.get(f"/help/{name}", 404)


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


def test_a_person_is_told_of_the_sign_in_before_and_of_a_failed_one_since(lab: Lab) -> None:
    lab.sign_in("vera")
    with refused("SIG_REAUTH"):
        lab.identity.sign_in("vera", "somebody else's guess at it", Place("", "10.1.2.3", "", "UTC"))
    lab.forget_sessions()
    page = Reader(lab, "vera").get("/work")
    assert "from ws-vera" in page
    assert "A failed attempt since then" in page
    lab.forget_sessions()
    assert "A failed attempt since then" not in Reader(lab, "vera").get("/work")
