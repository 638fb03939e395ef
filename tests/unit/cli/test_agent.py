"""The instrument's side: signed deliveries, each once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coverslip.cli.outbox import Outbox, Watch
from coverslip.client import DeviceKey, MisuseError, examine

ACQ = "ACQ-2026-00001"


@pytest.fixture
def device(run: Any, served: Path, lab: Any, tmp_path: Path) -> list[str]:
    """Options of a registered device."""
    ran = run("device", "keygen", tmp_path / "ins.key")
    assert ran.code == 0
    lab.devices["INS-0001"] = ran.out.strip()
    (tmp_path / "coverslip.json").write_text(json.dumps({"origin": "lab.test/coverslip"}))
    return [
        "--session",
        ACQ,
        "--device",
        "INS-0001",
        "--key",
        str(tmp_path / "ins.key"),
        "--log",
        "lab.test/coverslip",
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "acquired"
    found.mkdir()
    for name in ("a.tif", "b.tif", "notes.txt", ".hidden.tif"):
        (found / name).write_bytes(name.encode() * 100)
    return found


def test_a_new_key_is_private_and_only_its_public_half_is_printed(run: Any, tmp_path: Path) -> None:
    ran = run("device", "keygen", tmp_path / "ins.key")
    file = tmp_path / "ins.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert ran.out.strip() == DeviceKey.load(file).public and file.read_text().strip() not in ran.out
    assert run("device", "keygen", file).code == 2


def test_a_device_delivers_signed_files_in_order(run: Any, device: list[str], folder: Path, lab: Any) -> None:
    ran = run("agent", "deliver", folder / "a.tif", folder / "b.tif", *device)
    assert ran.code == 0
    assert [(d["by"], d["sequence"]) for d in lab.deliveries] == [("INS-0001", 1), ("INS-0001", 2)]
    assert lab.sessions == {}, "the device's session is ended"


def test_nothing_is_delivered_twice(run: Any, device: list[str], folder: Path, lab: Any) -> None:
    run("agent", "deliver", folder / "a.tif", *device)
    ran = run("agent", "deliver", folder / "a.tif", folder / "b.tif", *device)
    assert ran.code == 0 and "sent before, not again" in ran.out
    assert [d["name"] for d in lab.deliveries] == ["a.tif", "b.tif"]


def test_changed_content_is_another_delivery(run: Any, device: list[str], folder: Path, lab: Any) -> None:
    run("agent", "deliver", folder / "a.tif", *device)
    (folder / "a.tif").write_bytes(b"other")
    run("agent", "deliver", folder / "a.tif", *device)
    assert [d["sequence"] for d in lab.deliveries] == [1, 2]


def test_a_lost_answer_is_asked_for_under_the_same_number(tmp_path: Path, folder: Path) -> None:
    facts = examine(folder / "a.tif")
    assert Outbox.open(tmp_path / "o.json").begin(ACQ, facts) == 1
    again = Outbox.open(tmp_path / "o.json")
    assert again.begin(ACQ, facts) == 1 and again.begin(ACQ, examine(folder / "b.tif")) == 2


def test_what_was_refused_is_not_sent_again_by_itself(
    run: Any, device: list[str], folder: Path, lab: Any
) -> None:
    options = ["ACQ-NONE" if o == ACQ else o for o in device]
    first = run("agent", "deliver", folder / "a.tif", *options)
    assert first.code == 1 and "NOT_FOUND: " in first.err
    count = len(lab.refusals)
    second = run("agent", "deliver", folder / "a.tif", *options)
    assert second.code == 1 and len(lab.refusals) == count


def test_a_file_in_quarantine_is_a_finding(run: Any, device: list[str], folder: Path, lab: Any) -> None:
    lab.quarantine.add("a.tif")
    assert run("agent", "deliver", folder / "a.tif", *device).code == 1


def test_an_unknown_key_delivers_nothing(
    run: Any, device: list[str], folder: Path, lab: Any, tmp_path: Path
) -> None:
    run("device", "keygen", tmp_path / "other.key")
    options = [str(tmp_path / "other.key") if o.endswith("ins.key") else o for o in device]
    ran = run("agent", "deliver", folder / "a.tif", *options)
    assert ran.code == 1 and "DEVICE_UNKNOWN" in ran.err and lab.deliveries == []


def test_the_origin_of_the_log_is_read_from_the_home(
    run: Any, device: list[str], folder: Path, lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = device[: device.index("--log")]
    assert run("agent", "deliver", folder / "a.tif", *given).code == 2
    monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path))
    assert run("agent", "deliver", folder / "a.tif", *given).code == 0


def test_a_watched_folder_is_delivered_once_each_file_is_complete(
    run: Any, device: list[str], folder: Path, lab: Any
) -> None:
    ran = run("agent", "watch", folder, *device, "--match", "*.tif", "--interval", 0.05, "--looks", 4)
    assert ran.code == 0
    assert sorted(d["name"] for d in lab.deliveries) == ["a.tif", "b.tif"]


def test_an_unreachable_server_at_the_last_look_could_not_be_determined(
    run: Any, device: list[str], folder: Path, tmp_path: Path
) -> None:
    ran = run(
        "agent",
        "watch",
        folder,
        *device,
        "--server",
        f"unix:{tmp_path}/none.sock",
        "--interval",
        0.05,
        "--looks",
        3,
    )
    assert ran.code == 3 and "UNAVAILABLE" in ran.err


def test_a_file_that_still_grows_is_left_alone(folder: Path) -> None:
    watch = Watch(folder, "a.tif")
    assert list(watch.look()) == []
    (folder / "a.tif").write_bytes(b"more" * 1000)
    assert list(watch.look()) == []
    assert list(watch.look()) == [folder / "a.tif"]
    watch.done(folder / "a.tif")
    assert list(watch.look()) == []


def test_a_damaged_state_file_stops_delivery_instead_of_starting_anew(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"format": 2, "sessions": {}}'):
        (tmp_path / "o.json").write_text(text)
        with pytest.raises(MisuseError):
            Outbox.open(tmp_path / "o.json")
