"""What a device or a person delivers: registered once, or refused and kept in quarantine with the reason."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tifffile
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.ingest import Imports, Unfinished
from coverslip.ingest.delivery import PREFIX
from coverslip.kernel.change import Change, Context
from coverslip.ledger import canonical
from fix_lab import Lab, refused


@pytest.fixture(autouse=True)
def _projections_are_what_the_ledger_says(lab: Lab) -> Iterator[None]:
    # The vault is the worker's: what other modules damaged on purpose is there before.
    before = lab.vault.check().findings
    yield
    assert lab.replay() == []
    assert lab.vault.check().findings == before


def pixels() -> bytes:
    """Return a small TIFF nobody has seen before."""
    out = io.BytesIO()
    seed = int.from_bytes(os.urandom(4), "big")
    tifffile.imwrite(out, np.random.default_rng(seed).integers(0, 60_000, (16, 16), dtype=np.uint16))
    return out.getvalue()


def manifest(
    lab: Lab, data: bytes, session: str = "", key: Ed25519PrivateKey | None = None, **more: Any
) -> dict[str, Any]:
    """Return a manifest as the instrument would sign it."""
    told: dict[str, Any] = {
        "name": "well.tif", "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "sequence": 1,
    } | more  # fmt: skip
    signed = {"device": lab.n["instrument"], "session": session or lab.n["session"], **told}
    signature = (key or lab.device_key).sign(PREFIX + canonical.encode(signed))
    return told | {"signature": signature.hex()}


def deliver(
    lab: Lab, data: bytes, told: dict[str, Any], context: Context | None = None, session: str = ""
) -> dict[str, Any]:
    return lab.ingest().deliver(session or lab.n["session"], context or lab.device(), told, io.BytesIO(data))


def kept(lab: Lab) -> int:
    return len(lab.vault.quarantined())


def images(lab: Lab) -> int:
    return int(lab.ask("select count(*) from projection.record where type = 'image'")[0][0])


def test_a_signed_delivery_becomes_an_image_bit_for_bit(lab: Lab) -> None:
    data = pixels()
    answer = deliver(lab, data, manifest(lab, data))
    assert answer["state"] == "available", answer
    image = lab.row(answer["number"])
    stored = image.fields["files"][0]
    assert stored["sha256"] == hashlib.sha256(data).hexdigest()
    size, chunks = lab.ingest().open(stored["root"])
    assert (size, b"".join(chunks)) == (len(data), data)
    assert image.fields["delivery"]["by"] == lab.n["instrument"]
    made = lab.history(answer["number"])[0]
    assert (made["auth"], made["actor"]) == ("device", lab.row(lab.n["instrument"]).uid)


def test_the_same_pixels_again_go_to_quarantine_and_say_where_they_are(lab: Lab) -> None:
    data = pixels()
    first = deliver(lab, data, manifest(lab, data))
    before = kept(lab)
    again = deliver(lab, data, manifest(lab, data, name="renamed.tif", sequence=2))
    assert again["state"] == "quarantined"
    assert any(first["number"] in sentence for sentence in again["why"])
    assert kept(lab) == before + 1
    assert lab.row(first["number"]).state == "available"


def test_a_replayed_delivery_registers_nothing_new(lab: Lab) -> None:
    data = pixels()
    told, count = manifest(lab, data), images(lab)
    first = deliver(lab, data, told)
    assert first["state"] == "available"
    assert deliver(lab, data, told) == first, "the same delivery has the same answer"
    assert images(lab) == count + 1
    again = deliver(lab, data, manifest(lab, data, sequence=2))
    assert again["state"] == "quarantined"
    holders = lab.ask(
        "select count(*) from projection.unique_value where scope = 'image.registered_root' and value = %s",
        lab.row(again["number"]).fields["delivery"]["root"],
    )
    assert holders[0][0] == 1


def test_a_delivery_signed_for_one_session_is_refused_in_another(lab: Lab) -> None:
    other = lab.new_session()
    lab.start_session(other)
    data = pixels()
    before, count = kept(lab), images(lab)
    with refused("DEVICE_UNKNOWN"):
        deliver(lab, data, manifest(lab, data, session=lab.n["session"]), session=other)
    assert (kept(lab), images(lab)) == (before + 1, count)
    deliver(lab, data, manifest(lab, data, session=other), session=other)


@pytest.mark.parametrize(
    "wrong", ["no signature", "another key", "another name", "another size", "another sequence"]
)
def test_what_the_device_did_not_sign_is_refused_and_kept(lab: Lab, wrong: str) -> None:
    data = pixels()
    told = manifest(lab, data)
    told |= {
        "no signature": {"signature": ""},
        "another key": manifest(lab, data, key=Ed25519PrivateKey.generate()),
        "another name": {"name": "other.tif"},
        "another size": {"size": len(data) + 1},
        "another sequence": {"sequence": 99},
    }[wrong]
    before, count = kept(lab), images(lab)
    with refused("DEVICE_UNKNOWN"):
        deliver(lab, data, told)
    assert (kept(lab), images(lab)) == (before + 1, count)


def test_another_machine_delivers_nothing_into_a_session(lab: Lab) -> None:
    data = pixels()
    before, count = kept(lab), images(lab)
    stranger = replace(lab.service(), auth="device")
    for context in (lab.service(), stranger):
        with refused("DEVICE_UNKNOWN"):
            deliver(lab, data, manifest(lab, data), context)
    assert (kept(lab), images(lab)) == (before + 2, count)
    reasons = [q.about["reason"] for q in lab.vault.quarantined()]
    assert any("is not a registered source" in r for r in reasons)


def test_a_device_out_of_service_delivers_nothing(lab: Lab) -> None:
    data = pixels()
    told, context = manifest(lab, data), lab.device()
    lab.mia.do(lab.n["instrument"], "take_out_of_service", why="The lamp is being changed.")
    try:
        before = kept(lab)
        with pytest.raises(CoverslipError) as caught:
            deliver(lab, data, told, context)
        assert caught.value.code in ("DEVICE_UNKNOWN", "AUTH_REQUIRED")
        assert kept(lab) == before + 1
    finally:
        lab.quinn.do(lab.n["instrument"], "put_in_service", sign=True)


@pytest.mark.parametrize("wrong", ["hash", "shorter", "longer", "empty"])
def test_bytes_other_than_those_announced_are_refused_and_leave_no_image(lab: Lab, wrong: str) -> None:
    data = pixels()
    told = manifest(lab, data)
    sent = {"hash": b"x" + data[1:], "shorter": data[:-10], "longer": data + b"x", "empty": b""}[wrong]
    count, before = images(lab), kept(lab)
    with refused("VAL_FORM") as caught:
        deliver(lab, sent, told)
    assert "sha256" in caught[0].message
    assert images(lab) == count
    assert kept(lab) == before + 1, "what was refused is kept aside"


@pytest.mark.parametrize("cut", ["half", "no image", "text"])
def test_a_file_that_cannot_be_read_whole_is_quarantined_with_what_was_found(lab: Lab, cut: str) -> None:
    data = {"half": pixels()[:300], "no image": os.urandom(500), "text": b"hello " + os.urandom(8)}[cut]
    before = kept(lab)
    answer = deliver(lab, data, manifest(lab, data))
    assert answer["state"] == "quarantined"
    assert kept(lab) == before + 1
    row = lab.row(answer["number"])
    assert [c["verdict"] for c in row.fields["checks"]].count("fail") >= 1
    quarantined = next(q for q in lab.vault.quarantined() if q.id == row.fields["delivery"]["quarantine"])
    assert quarantined.sha256 == hashlib.sha256(data).hexdigest()
    assert quarantined.about["record"] == answer["number"]


@pytest.mark.parametrize(
    "change",
    [{"name": "../x"}, {"name": ""}, {"name": "a\x00"}, {"name": "."}, {"size": -1}, {"size": True}, {"size": "5"},  # noqa: E501
     {"sha256": "0" * 63}, {"sha256": "G" * 64}, {"sequence": 0}, {"sequence": True}, {"taken_at": "yesterday"},  # noqa: E501
     {"taken_at": "2026-99-99T00:00:00Z"}, {"signature": "xyz"}, {"extra": 1}, {"reason": 5}],
    ids=repr,
)  # fmt: skip
def test_a_malformed_manifest_takes_nothing_in(lab: Lab, change: dict[str, Any]) -> None:
    data = pixels()
    before = kept(lab), images(lab)
    with refused("VAL_FORM"):
        deliver(lab, data, manifest(lab, data) | change)
    assert (kept(lab), images(lab)) == before


def test_a_session_that_is_none_takes_nothing_in(lab: Lab) -> None:
    data = pixels()
    for session in ("ACQ-2026-99999", lab.n["study"], "x"):
        with refused("NOT_FOUND"):
            deliver(lab, data, manifest(lab, data), session=session)


def test_a_session_that_has_not_begun_takes_nothing_in(lab: Lab) -> None:
    session = lab.new_session()
    data = pixels()
    with refused("SEQ_STATE"):
        deliver(lab, data, manifest(lab, data, session=session), session=session)
    assert lab.reading.linked(lab.row(session).uid) == []


# --- by hand -----------------------------------------------------------------------------------


def by_hand(data: bytes, reason: str) -> dict[str, Any]:
    return {
        "name": "hand.tif",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "reason": reason,
    }


def test_an_import_by_hand_says_why(lab: Lab) -> None:
    data = pixels()
    count = images(lab)
    for reason in ("", "   "):
        with refused("REASON"):
            deliver(lab, data, by_hand(data, reason), lab.alan.context)
    assert images(lab) == count


def test_an_import_by_hand_waits_for_a_second_person(lab: Lab) -> None:
    data = pixels()
    answer = deliver(lab, data, by_hand(data, "The network was down all morning."), lab.alan.context)
    number = answer["number"]
    assert answer["state"] == "registering"
    assert lab.row(number).fields["manual_import"] is True
    with refused("SEQ_PRE"):
        lab.machine(number, "accept")
    with refused("AUTH_SELF"):
        lab.alan.do(number, "verify_import", sign=True)
    lab.olga.do(number, "verify_import", sign=True)
    lab.machine(number, "accept")
    assert lab.row(number).state == "available"


def test_a_verified_import_into_a_study_is_registered_by_the_worker(lab: Lab) -> None:
    data = pixels()
    reason = "The files came on a disk from the site's old microscope."
    answer = deliver(lab, data, by_hand(data, reason), lab.alan.context, session=lab.n["study"])
    imports = Imports(lab.door, lab.reading, lab.service)
    assert not imports.step()
    lab.olga.do(answer["number"], "verify_import", sign=True)
    assert imports.step()
    assert lab.row(answer["number"]).state == "available"
    assert "session" not in lab.row(answer["number"]).fields


def test_a_manual_import_sent_again_is_the_same_one_and_another_reason_makes_another(lab: Lab) -> None:
    data, reason = pixels(), "The files came on a disk from the site's old microscope."
    first = deliver(lab, data, by_hand(data, reason), lab.alan.context)
    assert deliver(lab, data, by_hand(data, reason), lab.alan.context) == first
    other = deliver(lab, data, by_hand(data, "A second disk held the very same file."), lab.alan.context)
    assert other["number"] != first["number"]


def cut_off(lab: Lab, data: bytes, told: dict[str, Any]) -> str:
    """Begin a delivery that gets no further than its record; return the number."""
    ingest = lab.ingest()

    def die(arrived: Any) -> Any:
        raise EnvironmentFault("UNAVAILABLE", what="The server")

    ingest._register = die
    count = images(lab)
    with pytest.raises(EnvironmentFault):
        ingest.deliver(lab.n["session"], lab.device(), told, io.BytesIO(data))
    assert images(lab) == count + 1
    return str(
        lab.ask("select number from projection.record where type = 'image' order by created_at desc")[0][0]
    )


def test_a_delivery_that_was_cut_off_goes_on_with_its_record_when_it_is_sent_again(lab: Lab) -> None:
    data = pixels()
    told = manifest(lab, data)
    number = cut_off(lab, data, told)
    answer = deliver(lab, data, told)
    assert (answer["number"], answer["state"]) == (number, "available")


def test_a_delivery_given_up_is_closed_after_an_hour_and_not_before(lab: Lab) -> None:
    data = pixels()
    told = manifest(lab, data)
    number = cut_off(lab, data, told)

    def after(minutes: int) -> Unfinished:
        at = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
        return Unfinished(lab.door, lab.reading, lab.service, at.isoformat)

    after(59).step()
    assert lab.row(number).state == "registering"
    assert after(61).step() and lab.row(number).state == "quarantined"
    answer = deliver(lab, data, told)
    assert answer["state"] == "available" and answer["number"] != number


def test_a_device_delivers_into_no_study(lab: Lab) -> None:
    data = pixels()
    with refused("NOT_FOUND"):
        deliver(lab, data, manifest(lab, data), session=lab.n["study"])


def test_a_person_without_the_role_imports_nothing(lab: Lab) -> None:
    data = pixels()
    count = images(lab)
    with refused("AUTH_ROLE"):
        deliver(lab, data, by_hand(data, "The network was down all morning."), lab.nora.context)
    assert images(lab) == count


def test_an_image_is_never_edited_by_anybody(lab: Lab) -> None:
    data = pixels()
    number = deliver(lab, data, manifest(lab, data))["number"]
    for context in (lab.alan.context, lab.quinn.context, lab.service()):
        change = Change(
            "edit",
            number=number,
            fields={"name": "other.tif"},
            reason="A better name for it.",
            expected_version=lab.row(number).version,
        )
        with refused("LOCKED"):
            lab.door.submit(change, context)
