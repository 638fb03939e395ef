"""Files on their way: nothing arrives or leaves unnoticed changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from coverslip.client import Coverslip, DeviceKey, EvidenceError, MisuseError, RefusedError, examine
from coverslip.client.device import header, manifest
from coverslip.ledger import canonical

ORIGIN = "lab.test/coverslip"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "plane.tif"
    path.write_bytes(os.urandom(3 * 1024**2 + 17))
    return path


@pytest.fixture
def attached(ada: Coverslip, image: Path) -> str:
    value = ada.attach(image)
    return ada.records.create(
        "image", {"name": "plane", "study": "STU-0001", "kind": "raw", "files": [value]}
    ).number


def test_a_person_brings_a_file_in_with_a_reason(ada: Coverslip, image: Path, lab: Any) -> None:
    done: list[int] = []
    answer = ada.ingest("ACQ-2026-00001", image, reason="camera PC is broken", progress=done.append)
    facts = examine(image)
    assert answer["state"] == "available" and sum(done) == facts.size
    assert lab.deliveries[0]["sha256"] == facts.sha256 and lab.deliveries[0]["by"] == "ada"


def test_a_file_that_changes_while_it_is_sent_does_not_arrive(ada: Coverslip, image: Path, lab: Any) -> None:
    facts = examine(image)
    data = bytearray(image.read_bytes())
    data[-1] ^= 1
    image.write_bytes(data)
    with pytest.raises(EvidenceError):
        ada.ingest("ACQ-2026-00001", facts, reason="camera PC is broken")
    assert lab.deliveries == []


def test_a_folder_or_nothing_is_no_file(ada: Coverslip, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.tif"):
        with pytest.raises(MisuseError):
            ada.ingest("ACQ-2026-00001", path, reason="camera PC is broken")


def test_an_original_comes_back_bit_for_bit(
    ada: Coverslip, image: Path, attached: str, tmp_path: Path
) -> None:
    saved = ada.download(attached, "plane.tif", tmp_path / "back.tif")
    assert (tmp_path / "back.tif").read_bytes() == image.read_bytes()
    assert saved.sha256 == examine(image).sha256


def test_an_original_that_is_not_what_was_recorded_gets_no_name(
    ada: Coverslip, attached: str, tmp_path: Path, lab: Any
) -> None:
    root = next(iter(lab.files))
    lab.files[root] = lab.files[root][:-1] + b"?"
    with pytest.raises(EvidenceError):
        ada.download(attached, "plane.tif", tmp_path / "back.tif")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plane.tif"]


def test_an_existing_file_is_not_replaced(ada: Coverslip, attached: str, image: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.txt"
    target.write_text("precious")
    for call in (lambda: ada.download(attached, "plane.tif", target), lambda: ada.export(attached, target)):
        with pytest.raises(MisuseError):
            call()
    assert target.read_text() == "precious"


def test_a_name_that_is_no_file_of_the_record_lists_those_that_are(
    ada: Coverslip, attached: str, tmp_path: Path
) -> None:
    with pytest.raises(MisuseError, match=r"plane\.tif"):
        ada.download(attached, "other.tif", tmp_path / "x")


def test_a_bundle_is_saved_whole_and_says_its_hash(ada: Coverslip, attached: str, tmp_path: Path) -> None:
    saved = ada.export(attached, tmp_path / "bundle.zip", text_filter="mitosis")
    data = (tmp_path / "bundle.zip").read_bytes()
    assert b"mitosis" in data and saved.size == len(data)
    assert examine(tmp_path / "bundle.zip").sha256 == saved.sha256


def test_a_device_delivers_with_a_signed_manifest(
    guest: Coverslip, image: Path, tmp_path: Path, lab: Any
) -> None:
    key = DeviceKey.create(tmp_path / "device.key")
    lab.devices["INS-0001"] = key.public
    guest.device_sign_in("INS-0001", key, ORIGIN)
    guest.ingest(
        "ACQ-2026-00001", image, sequence=7, device="INS-0001", key=key, taken_at="2026-11-21T03:59:00Z"
    )
    assert (lab.deliveries[0]["by"], lab.deliveries[0]["sequence"]) == ("INS-0001", 7)


def test_a_delivery_signed_for_another_session_is_refused(
    guest: Coverslip, image: Path, tmp_path: Path, lab: Any
) -> None:
    key = DeviceKey.create(tmp_path / "device.key")
    lab.devices["INS-0001"] = key.public
    guest.device_sign_in("INS-0001", key, ORIGIN)
    facts = examine(image)
    value = manifest(facts, 1, device="INS-0001", session="ACQ-2026-00002", key=key)
    with pytest.raises(RefusedError) as caught:
        guest._put(
            "/sessions/ACQ-2026-00001/files", facts, {"Coverslip-Manifest": header(value)}, lambda _: None
        )
    assert caught.value.code == "DEVICE_UNKNOWN" and lab.deliveries == []


def test_a_device_with_another_key_gets_no_session(guest: Coverslip, tmp_path: Path, lab: Any) -> None:
    lab.devices["INS-0001"] = DeviceKey.create(tmp_path / "one.key").public
    with pytest.raises(RefusedError) as caught:
        guest.device_sign_in("INS-0001", DeviceKey.create(tmp_path / "two.key"), ORIGIN)
    assert caught.value.code == "DEVICE_UNKNOWN"


def test_a_device_key_is_private_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "device.key"
    key = DeviceKey.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert DeviceKey.load(path).public == key.public
    assert path.read_text().strip() not in repr(key)
    with pytest.raises(MisuseError):
        DeviceKey.create(path)


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "device.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(MisuseError):
        DeviceKey.load(path)


def test_a_device_key_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "device.key"
    DeviceKey.create(path)
    path.chmod(0o640)
    with pytest.raises(MisuseError, match="0640"):
        DeviceKey.load(path)


def test_a_manifest_is_canonical_and_a_name_that_is_not_is_refused(image: Path) -> None:
    facts = examine(image)
    value = manifest(facts, 1, reason="by hand, camera broken")
    assert canonical.decode(bytes.fromhex(header(value))) == value
    with pytest.raises(MisuseError):
        header(value | {"name": "e\u0301.tif"})
