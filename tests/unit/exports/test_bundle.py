"""What a bundle holds, and what is never exported."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc
import zipfile
from html.parser import HTMLParser

import pytest
from bundle_lab import Lab, uuid

from coverslip.errors import EvidenceBroken
from coverslip.exports.bundle import ScopeRecord, Withheld, utc_offset
from coverslip.verifier.report import HOLDS

IMAGE = "IMG-2027-000001"


@pytest.fixture
def lab() -> Lab:
    return Lab().live()


def _open(data: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(data))


def test_the_same_log_makes_the_same_bytes(lab: Lab) -> None:
    assert lab.bundle() == Lab().live().bundle()


def test_every_member_is_in_the_signed_manifest(lab: Lab) -> None:
    with _open(lab.bundle()) as archive:
        raw = archive.read("manifest.json")
        manifest = json.loads(raw)
        listed = {m["path"]: (m["sha256"], m["size"]) for m in manifest["members"]}
        assert listed.keys() == set(archive.namelist()) - {"manifest.json", "manifest.sig"}
        for path, (digest, size) in listed.items():
            content = archive.read(path)
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (digest, size)
        assert f"coverslip manifest v1\n{hashlib.sha256(raw).hexdigest()}\n".encode() in archive.read(
            "manifest.sig"
        )
    assert manifest["checkpoint"]["size"] == len(lab.leaves)
    assert manifest["scope"]["kind"] == "complete" and "notice" not in manifest["scope"]


def test_original_files_leave_bit_for_bit_the_replaced_one_too(lab: Lab) -> None:
    with _open(lab.bundle()) as archive:
        assert archive.read(f"files/{IMAGE}/notes.txt") == b"as acquired, and read again\n"
        assert archive.read(f"files/{IMAGE}@v3/notes.txt") == b"as acquired\n"
        assert archive.read(f"files/{IMAGE}/raw/plate µ.tif") == bytes(range(256)) * 300


def test_bodies_of_other_records_stay_at_home(lab: Lab) -> None:
    assert b"outside the copy" not in lab.bundle()
    assert b"DOC-0009" not in lab.bundle()


def test_every_signature_shows_name_time_meaning_and_reason(lab: Lab) -> None:
    data = lab.bundle()
    with _open(data) as archive:
        page = archive.read("index.html").decode()
        record = json.loads(archive.read(f"records/{IMAGE}.json"))
    shown = "2026-11-21 04:00:18 UTC (2026-11-20 23:00:18 −05:00 America/New_York)"
    for text in ("Quinn Ito (quinn)", shown, "reviewed: I sign as reviewed", "checked", "Pat Lee (pat)"):
        assert text in page
    signed = record["signatures"][0]
    assert (signed["name"], signed["signed_at"], signed["meaning"], signed["reason"]) == (
        "Quinn Ito", shown, "reviewed", "checked",
    )  # fmt: skip


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [name for name, _ in attrs if name in ("src", "href") or name.startswith("on")]


def test_the_page_runs_nothing_and_fetches_nothing(lab: Lab) -> None:
    with _open(lab.bundle()) as archive:
        page = _Page()
        page.feed(archive.read("index.html").decode())
    assert not {"script", "b", "img", "iframe", "link"} & set(page.tags)
    assert page.links == []


def test_the_trail_has_old_and_new_and_why(lab: Lab) -> None:
    with _open(lab.bundle()) as archive:
        rows = json.loads(archive.read("trail.json"))
    row = next(r for r in rows if r["field"] == "fields.note" and r["index"] == 17)
    assert (row["old"], row["new"], row["reason"]) == ("<b>first</b>", "=HYPERLINK(1)", "+typing error")
    assert (row["who"], row["who_name"], row["record"], row["version"]) == ("mia", "Mia Søby", IMAGE, 2)
    assert any(r["type"] == "export" and r["record"] == IMAGE for r in rows)


def test_an_evaluation_says_so_on_the_page_and_in_the_manifest(lab: Lab) -> None:
    with _open(lab.bundle()) as archive:
        assert b"not for GxP use" in archive.read("index.html")
        assert json.loads(archive.read("manifest.json"))["use"] == "evaluation"
    with _open(Lab("regulated").live().bundle()) as archive:
        assert b"not for GxP use" not in archive.read("index.html")


def test_leaves_that_are_not_the_checkpoints_are_not_exported(lab: Lab) -> None:
    with pytest.raises(EvidenceBroken, match="the leaves of the log"):
        lab.bundle(checkpoint=lab.checkpoint(20))
    with pytest.raises(EvidenceBroken, match="the leaves of the log"):
        shorter = {index: body for index, body in lab.copied(lab.scope()).items() if index < 21}
        lab.bundle(leaves=lab.leaves[:-1], bodies=shorter, checkpoint=lab.checkpoint())


def test_a_file_that_is_not_its_records_is_not_exported(lab: Lab) -> None:
    for digest, data in lab.contents.items():
        lab.contents[digest] = data + b"!"
    with pytest.raises(EvidenceBroken, match="does not match its hash"):
        lab.bundle()


def test_a_body_of_no_entry_is_not_exported(lab: Lab) -> None:
    with pytest.raises(EvidenceBroken, match="body of entry 99"):
        lab.bundle(bodies={**lab.copied(lab.scope()), 99: {}})


def test_a_record_without_bodies_is_not_exported(lab: Lab) -> None:
    scope = lab.scope(records=(ScopeRecord("image", uuid("nowhere"), "IMG-2027-000777"),))
    with pytest.raises(EvidenceBroken, match="IMG-2027-000777"):
        lab.bundle(scope=scope)


def test_what_is_withheld_is_named_with_its_reason(lab: Lab) -> None:
    scope = lab.scope(withheld=(Withheld(f"{IMAGE}/notes.txt", "trade secret"),))
    with _open(lab.bundle(scope=scope)) as archive:
        assert f"files/{IMAGE}/notes.txt" not in archive.namelist()
        assert b"trade secret" in archive.read("index.html")


def test_bodies_are_in_files_of_a_thousand_indexes(lab: Lab) -> None:
    for _ in range(2100 - len(lab.leaves)):
        lab.append("installation", uuid("installation"), "beat", lab.ada, type="heartbeat")
    lab.append("image", uuid("image"), "note", lab.mia, {"content": lab.content("image", IMAGE, "x")},
               keep=("personal", "files"))  # fmt: skip
    data = lab.bundle()
    with _open(data) as archive:
        names = [name for name in archive.namelist() if name.startswith("bodies/")]
    assert names == ["bodies/00000000.jsonl", "bodies/00000002.jsonl"]
    assert lab.verify(data).exit_code == HOLDS


def test_memory_does_not_grow_with_a_file(lab: Lab) -> None:
    big = lab.file("big.raw", bytes(64 * 1024 * 1024))
    sections = {"content": lab.content("image", IMAGE, "x"), "files": [big]}
    lab.append("image", uuid("image"), "add", lab.mia, sections,
               keep=("personal",))  # fmt: skip

    class Sink(io.RawIOBase):
        def write(self, data: object) -> int:
            return len(data)  # type: ignore[arg-type]

    tracemalloc.start()
    try:
        lab.bundle_to(Sink())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 * 1024 * 1024, f"{peak / 1e6:.0f} MB"


def test_the_offset_of_a_zone_is_that_of_the_day() -> None:
    assert utc_offset("2026-11-21T04:00:00.000000Z", "America/New_York") == "-05:00"
    assert utc_offset("2026-07-21T04:00:00.000000Z", "America/New_York") == "-04:00"
    assert utc_offset("2026-07-21T04:00:00.000000Z", "Asia/Kathmandu") == "+05:45"
    assert utc_offset("2026-07-21T04:00:00.000000Z", "Nowhere/Land") == ""
