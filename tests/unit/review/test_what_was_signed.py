"""What a signer was shown is made again from the ledger, and is called so only where the hash agrees."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from coverslip.kernel.history import manifests
from coverslip.kernel.view import VERSION
from coverslip.review.as_of import AsOf
from coverslip.store.past import PostgresPast
from fix_caller import Caller
from fix_lab import Lab, refused
from fix_reader import Reader

Api = Callable[[str], Caller]


def signed(lab: Lab, caller: Caller, number: str, act: str, **more: Any) -> None:
    """Do an act as somebody who read the record first, signing the view that was sent."""
    body = {"expected_version": lab.row(number).version, "signature": caller.signature(number)} | more
    answer = caller.post(f"/records/{number}/acts/{act}", body)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def past(lab: Lab) -> AsOf:
    return AsOf(lab.door.catalogue, PostgresPast(lab.reading.pool), lab.reading)


def test_every_signature_on_a_document_leads_to_the_text_its_signer_read(
    lab: Lab, past: AsOf, api: Api
) -> None:
    sop = lab.new_sop()
    read = {}
    for who, act in (("aurel", "submit"), ("rita", "review"), ("quinn", "approve")):
        version = lab.row(sop).version
        read[version + 1] = api(who).get(f"/records/{sop}/view")["text"]
        signed(lab, api(who), sop, act)
    for version, text in read.items():
        found = past.signed(lab.row(sop), version)
        assert (found["rendering"], found["base"], found["text"]) == (VERSION, version - 1, text)


def test_holds_lifted_before_or_placed_after_a_signature_are_not_in_what_was_shown(
    lab: Lab, past: AsOf, api: Api
) -> None:
    sop = lab.new_sop()
    first = lab.quinn.create("hold", subject=sop, reason="A question is open about it.")
    seen = past.record(sop, 0, lab.accounts.now())
    lab.quinn.do(first, "lift", sign=True, why="The question is answered.")
    signed(lab, api("aurel"), sop, "submit")
    second = lab.quinn.create("hold", subject=sop, reason="Another question is open.")
    found = past.signed(lab.row(sop), 2)
    assert found["rendering"] == VERSION
    assert first in seen["text"], "while it stood it was shown"
    assert first not in found["text"] and second not in found["text"]


def test_a_version_nobody_signed_has_nothing_to_show(lab: Lab, past: AsOf) -> None:
    sop = lab.new_sop()
    for version in (1, 99):
        with refused("NOT_FOUND"):
            past.signed(lab.row(sop), version)


def test_what_was_made_by_a_signed_act_was_shown_as_it_was_typed(lab: Lab, past: AsOf) -> None:
    own = lab.row("ESA-0001")
    assert past.signed(own, 1) | {"shown": ""} == {"shown": "", "base": 0, "rendering": 0, "text": ""}


def test_no_text_is_called_what_was_shown_where_its_hash_is_another(lab: Lab, past: AsOf, api: Api) -> None:
    sop = lab.new_sop()
    signed(lab, api("aurel"), sop, "submit")
    assert past.signed(lab.row(sop), 2)["rendering"] == VERSION

    class Altered:
        def history(self, uid: str) -> list[dict[str, Any]]:
            found = copy.deepcopy(lab.reading.history(uid))
            for entry in found:
                if entry["sections"].get("signature"):
                    entry["sections"]["signature"]["statement"]["shown"] = "ab" * 32
            return found

    found = replace(past, reading=Altered()).signed(lab.row(sop), 2)
    assert (found["rendering"], found["text"]) == (0, "")


def test_the_page_of_signatures_shows_what_was_shown(lab: Lab, api: Api) -> None:
    sop = lab.new_sop("Counting what was signed")
    signed(lab, api("aurel"), sop, "submit")
    reader = Reader(lab, "rita")
    plain = reader.get(f"/r/{sop}/signatures")
    assert f"/r/{sop}v1/signatures?shown=2" in plain and "made again by version" not in plain
    shown = reader.get(f"/r/{sop}/signatures?shown=2")
    assert f"made again by version {VERSION}" in shown and '<article class="printed"' in shown
    assert reader.client.get(f"/r/{sop}/signatures?shown=1").status_code == 404


def test_what_the_founding_signed_names_the_version_it_made(lab: Lab, past: AsOf) -> None:
    row = lab.row("POL-0001")
    made = [one["version"] for one in manifests(lab.reading.history(row.uid))]
    assert len(made) >= 2
    for version in made:
        found = past.signed(row, version)
        assert (found["rendering"], found["base"]) == (VERSION, version)
        assert "Electronic signatures" in found["text"]
