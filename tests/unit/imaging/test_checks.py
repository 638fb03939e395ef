"""Each ingest check passes what it must, fails what it must, and says absent where it cannot tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import coverslip.cli.demo
from coverslip.cli.demo.defects import write_foreign, write_truncated
from coverslip.errors import CATALOGUE
from coverslip.imaging import CheckResult, ImageMetadata, Refusal, SessionFacts, ingest_checks, inspect

DEMO = Path(next(iter(coverslip.cli.demo.__path__))) / "images"
ZURICH = timezone(timedelta(hours=2))
START = datetime(2024, 7, 9, 11, 0, tzinfo=UTC)
FACTS = SessionFacts(
    session="ACQ-2024-00001", instrument="INS-0001", serial="5165008", file_root="aa" * 32,
    start=START, end=START + timedelta(minutes=20), device_zone=ZURICH,
)  # fmt: skip
ORDER = ["parses", "complete", "serial", "time", "planes", "truncated", "lossy", "duplicate"]


@pytest.fixture(scope="module")
def metadata() -> ImageMetadata:
    answer = inspect(DEMO / "9987_B02_s1_w1.TIF")
    assert isinstance(answer, ImageMetadata)
    return answer


def results(metadata: ImageMetadata | Refusal, facts: SessionFacts = FACTS) -> dict[str, CheckResult]:
    answers = ingest_checks(metadata, facts)
    assert [item.check for item in answers] == ORDER
    for item in answers:
        assert item.sentence
        assert bool(item.code) == (item.verdict == "fail"), item
        assert not item.code or item.code in CATALOGUE
    return {item.check: item for item in answers}


def test_a_real_image_of_the_session_passes_everything(metadata: ImageMetadata) -> None:
    assert {item.verdict for item in results(metadata).values()} == {"pass"}


def test_another_serial_is_a_device_mismatch(metadata: ImageMetadata) -> None:
    item = results(metadata, replace(FACTS, serial="5165009"))["serial"]
    assert (item.verdict, item.code) == ("fail", "DEVICE_MISMATCH")
    assert item.sentence == "The file says serial 5165008, INS-0001 is 5165009; it is in quarantine."


def test_a_serial_where_no_instrument_is_named_is_no_mismatch_and_not_a_pass(metadata: ImageMetadata) -> None:
    item = results(metadata, replace(FACTS, instrument="", serial=""))["serial"]
    assert (item.verdict, item.code) == ("absent", "")
    assert "no instrument is named" in item.sentence


def test_no_serial_is_absent_and_not_a_pass(metadata: ImageMetadata) -> None:
    checked = results(replace(metadata, instrument_serial=""))
    assert checked["serial"].verdict == "absent"
    assert checked["complete"].verdict == "absent"
    assert "instrument serial number" in checked["complete"].sentence


def test_the_same_content_again_is_a_duplicate(metadata: ImageMetadata) -> None:
    item = results(metadata, replace(FACTS, known_roots={"aa" * 32: "IMG-2024-000001"}))["duplicate"]
    assert (item.verdict, item.code) == ("fail", "DUP")
    assert "IMG-2024-000001" in item.sentence
    assert results(metadata, replace(FACTS, known_roots={"bb" * 32: "X"}))["duplicate"].verdict == "pass"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("2024-07-09T10:50:00Z", "pass"),
        ("2024-07-09T10:49:59Z", "fail"),
        ("2024-07-09T11:30:00Z", "pass"),
        ("2024-07-09T11:30:01Z", "fail"),
        ("2024-07-09T13:05:00", "pass"),
        ("2024-07-09T11:05:00", "fail"),
        ("not a time", "absent"),
        ("", "absent"),
    ],
)
def test_time_is_held_to_ten_minutes_around_the_session(
    metadata: ImageMetadata, text: str, verdict: str
) -> None:
    assert results(replace(metadata, acquired_at=text))["time"].verdict == verdict


def test_a_time_without_zone_is_not_compared_when_no_zone_is_known(metadata: ImageMetadata) -> None:
    item = results(metadata, replace(FACTS, device_zone=None))["time"]
    assert item.verdict == "absent"
    assert "time zone" in item.sentence


def test_the_devices_clock_offset_is_taken_off(metadata: ImageMetadata) -> None:
    late = replace(metadata, acquired_at="2024-07-09T11:30:05Z")
    assert results(late)["time"].verdict == "fail"
    assert results(late, replace(FACTS, clock_offset_s=5))["time"].verdict == "pass"


def test_a_running_session_is_bounded_by_now(metadata: ImageMetadata) -> None:
    facts = replace(FACTS, end=None, now=START + timedelta(minutes=1))
    assert results(replace(metadata, acquired_at="2024-07-09T11:11:00Z"), facts)["time"].verdict == "pass"
    assert results(replace(metadata, acquired_at="2024-07-09T11:11:01Z"), facts)["time"].verdict == "fail"


def test_a_lossy_original_needs_a_method_that_allows_it(metadata: ImageMetadata) -> None:
    lossy = replace(metadata, lossy=True, compression="JPEG")
    assert results(lossy)["lossy"].code == "VAL_VOCAB"
    allowed = results(lossy, replace(FACTS, lossy_allowed=True))["lossy"]
    assert allowed.verdict == "pass"
    assert "marked lossy" in allowed.sentence


def test_the_demos_cut_file_fails_and_says_where(tmp_path: Path) -> None:
    target = tmp_path / "cut.TIF"
    length = write_truncated(DEMO / "9987_B02_s1_w1.TIF", target)
    answer = inspect(target)
    checked = results(answer)
    assert checked["parses"].verdict == checked["truncated"].verdict == "fail"
    assert f"ends at byte {length}" in checked["truncated"].sentence
    assert checked["planes"].verdict == "absent"


def test_a_cut_stack_names_plane_and_bytes(tmp_path: Path) -> None:
    target = tmp_path / "cut.tif"
    write_truncated(DEMO / "BBBC022_IXMtest_A02_s9.tif", target)
    checked = results(inspect(target))
    assert checked["truncated"].verdict == "fail"
    assert checked["planes"].verdict == "fail"
    assert "3 planes and holds 1" in checked["planes"].sentence


def test_the_demos_foreign_file_fails_planes_and_device(tmp_path: Path) -> None:
    target = tmp_path / "foreign.ome.tif"
    write_foreign(DEMO / "9987_B02_s2_w1.TIF", target, "IXM-999", "2024-07-09T13:13:07+02:00")
    checked = results(inspect(target))
    assert checked["planes"].sentence == "The file declares 9 planes and holds 3; missing: 6."
    assert checked["serial"].code == "DEVICE_MISMATCH"
    assert checked["truncated"].verdict == checked["time"].verdict == "pass"


def test_cutting_nothing_is_refused(tmp_path: Path) -> None:
    for keep in (0.0, 1.0, -1.0, 2.0):
        with pytest.raises(ValueError, match="keep"):
            write_truncated(DEMO / "9987_B02_s1_w1.TIF", tmp_path / "x", keep)
