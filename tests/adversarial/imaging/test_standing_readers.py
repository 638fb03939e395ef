"""Hostile files and dying readers hurt one answer: never the server, the next file, or what is believed."""

from __future__ import annotations

import os
import signal
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from coverslip.errors import EnvironmentFault
from coverslip.imaging import pool as pools
from coverslip.imaging.metadata import Limits, Refusal
from coverslip.imaging.pool import File, ReaderPool
from coverslip.ledger.files import ChunkTree

RNG = np.random.default_rng(11)
PIXELS = RNG.integers(0, 65536, (600, 700), dtype=np.uint16)
PART = {"c": 0, "z": 0, "t": 0, "x": 0, "y": 0, "w": 600, "h": 500}


@pytest.fixture
def pool() -> Iterator[ReaderPool]:
    made = ReaderPool(1, seconds=20)
    yield made
    made.close()


@pytest.fixture
def good(tmp_path: Path) -> File:
    path = tmp_path / "good.tif"
    tifffile.imwrite(path, PIXELS, metadata=None, tile=(256, 256), compression="zstd")
    return File("good", str(path))


def reads(pool: ReaderPool, file: File) -> bool:
    answer = pool.ask(file, "region", **PART)
    return not isinstance(answer, Refusal) and answer[1] == PIXELS[:500, :600].astype("<u2").tobytes()


def refused(pool: ReaderPool, path: Path, task: str = "region", **more: Any) -> Refusal:
    answer = pool.ask(File(str(path), str(path)), task, **(more or PART))
    assert isinstance(answer, Refusal), answer
    return answer


def corrupted(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 64,
        b"%PDF-1.7",
        b"II*\x00\xff\xff\xff\x7f",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
    ],
    ids=["empty", "zeros", "pdf", "directory far away", "png start", "jpeg start"],
)
def test_what_is_no_image_is_refused_and_the_reader_goes_on(
    pool: ReaderPool, good: File, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "bad.bin"
    path.write_bytes(data)
    assert reads(pool, good)
    before = pool.processes
    assert refused(pool, path).check in ("parses", "truncated", "checksum", "decodes")
    assert pool.processes == before
    assert reads(pool, good)


def test_a_truncated_file_gives_what_is_there_and_refuses_what_is_not(
    pool: ReaderPool, tmp_path: Path
) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, PIXELS, metadata=None, tile=(256, 256), compression="zlib")
    with tifffile.TiffFile(path) as file:
        last = file.pages.first.dataoffsets[-1]
    os.truncate(path, last + 10)
    near, far = PART | {"w": 256, "h": 256}, PART | {"x": 600, "y": 550, "w": 50, "h": 50}
    assert not isinstance(pool.ask(File("cut", str(path)), "region", **near), Refusal)
    assert refused(pool, path, "region", **far).check == "truncated"


@pytest.mark.parametrize("compression", ["zlib", "zstd"])
def test_a_bomb_is_refused_within_its_room(
    pool: ReaderPool, good: File, tmp_path: Path, compression: str
) -> None:
    path = tmp_path / "bomb.tif"
    tifffile.imwrite(
        path, np.zeros((256, 256), np.uint8), metadata=None, tile=(256, 256), compression=compression
    )
    flood = bytes(64 << 20)
    packed = zlib.compress(flood) if compression == "zlib" else bytes(imagecodecs.zstd_encode(flood))
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        counts, offsets = page.tags["TileByteCounts"], page.tags["TileOffsets"]
        places = (counts.valueoffset, offsets.valueoffset)
    end = path.stat().st_size
    with path.open("ab") as stream:
        stream.write(packed)
    corrupted(path, places[0], struct.pack("<I", len(packed)))
    corrupted(path, places[1], struct.pack("<I", end))
    answer = pool.ask(File("bomb", str(path)), "region", **(PART | {"w": 256, "h": 256}))
    assert isinstance(answer, Refusal) or len(answer[1]) == 256 * 256
    assert reads(pool, good)


def test_sizes_that_only_the_header_claims_are_refused(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "claims.tif"
    tifffile.imwrite(path, PIXELS, metadata=None)
    with tifffile.TiffFile(path) as file:
        tags = file.pages.first.tags
        places = [tags[name].valueoffset for name in ("ImageWidth", "ImageLength")]
    for place in places:
        corrupted(path, place, struct.pack("<H", 60000))
    assert refused(pool, path).check in ("segments", "truncated", "decodes", "limits")


def test_a_killed_reader_is_replaced_and_its_file_refused_only_for_a_while(
    pool: ReaderPool, good: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "slow.tif"
    tifffile.imwrite(
        path, np.zeros((16384, 16384), np.uint8), metadata=None, tile=(256, 256), compression="zlib"
    )
    slow = File("slow", str(path))
    assert reads(pool, good)
    (first,) = pool.processes
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(pool.ask(slow, "statistics", c=0, z=0, t=0)))
    asking.start()
    time.sleep(0.3)
    os.kill(first, signal.SIGKILL)
    asking.join(20)
    assert isinstance(answers[0], Refusal)
    assert "SIGKILL" in answers[0].found
    assert reads(pool, good)
    assert pool.processes != [first]
    assert pool.ask(slow, "open") == answers[0]
    monkeypatch.setattr(pools, "monotonic_s", lambda: time.monotonic() + 60)
    assert not isinstance(pool.ask(slow, "open"), Refusal)


def test_a_reader_that_died_idle_costs_nobody_an_answer(pool: ReaderPool, good: File) -> None:
    assert reads(pool, good)
    (first,) = pool.processes
    os.kill(first, signal.SIGKILL)
    time.sleep(0.2)
    assert reads(pool, good)


def test_who_is_late_is_stopped(good: File, tmp_path: Path) -> None:
    pool = ReaderPool(1, seconds=0.4)
    path = tmp_path / "slow.tif"
    tifffile.imwrite(
        path, np.zeros((16384, 16384), np.uint8), metadata=None, tile=(64, 64), compression="zlib"
    )
    try:
        assert reads(pool, good)
        before = pool.processes
        begin = time.monotonic()
        answer = refused(pool, path, "statistics", c=0, z=0, t=0)
        assert answer.check == "limits"
        assert time.monotonic() - begin < 5
        assert pool.processes == []
        assert not Path(f"/proc/{before[0]}").exists()
    finally:
        pool.close()


def test_memory_beyond_the_limit_is_a_refusal(good: File, tmp_path: Path) -> None:
    small = Limits(
        address_space=700 << 20,
        cpu_seconds=60,
        answer_bytes=80 << 20,
        max_segment_bytes=1 << 31,
    )
    pool = ReaderPool(1, limits=small)
    path = tmp_path / "wide.tif"
    tifffile.imwrite(
        path, np.zeros((32768, 32768), np.uint8), metadata=None, rowsperstrip=32768, compression="zstd"
    )
    try:
        assert refused(pool, path).check in ("limits", "decodes")
        assert reads(pool, good)
    finally:
        pool.close()


def test_a_closed_pool_leaves_no_process_and_answers_nothing(pool: ReaderPool, good: File) -> None:
    assert reads(pool, good)
    (one,) = pool.processes
    pool.close()
    assert not Path(f"/proc/{one}").exists()
    with pytest.raises(EnvironmentFault):
        pool.ask(good, "open")


def hashed(path: Path) -> File:
    tree = ChunkTree()
    tree.update(path.read_bytes())
    found = tree.finish()
    return File(
        found.root.hex(), str(path), found.root.hex(), lambda: [node.hex() for node in found.mib_nodes]
    )


def test_a_changed_byte_is_refused_where_it_lies_and_only_there(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "kept.tif"
    pixels = RNG.integers(0, 65536, (2048, 1024), dtype=np.uint16)
    tifffile.imwrite(path, pixels, metadata=None)
    file = hashed(path)
    size = path.stat().st_size
    corrupted(path, size - 100, b"\x00\xff\x00\xff")
    top = pool.ask(file, "region", **(PART | {"w": 1024, "h": 100}))
    assert not isinstance(top, Refusal)
    assert top[1] == pixels[:100].tobytes()
    bottom = pool.ask(file, "region", **(PART | {"y": 2000, "w": 1024, "h": 48}))
    assert isinstance(bottom, Refusal)
    assert bottom.check == "hash"
    assert "bytes" in bottom.where


def test_hashes_that_do_not_lead_to_the_root_are_not_believed(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "kept.tif"
    tifffile.imwrite(path, PIXELS, metadata=None)
    true = hashed(path)
    forged = File(true.key, true.path, "0" * 64, true.nodes)
    answer = pool.ask(forged, "open")
    assert isinstance(answer, Refusal)
    assert answer.check == "hash"


def test_a_slide_larger_than_memory_is_opened_by_its_first_tile_in_little_room(
    pool: ReaderPool, tmp_path: Path
) -> None:
    path = tmp_path / "slide.tif"
    shape = (60000, 70000)
    tifffile.memmap(path, shape=shape, dtype=np.uint16, metadata=None, bigtiff=True).flush()
    slide = File("slide", str(path))
    shown = {
        "channels": [{"c": 0, "colour": "ffffff", "low": "0", "high": "9"}],
        "format": "jpg",
        "quality": 85,
    }
    begin = time.monotonic()
    answer = pool.ask(slide, "tile", level=0, column=200, line=100, z=0, t=0, **shown)
    assert not isinstance(answer, Refusal)
    assert time.monotonic() - begin < 5
    counted = pool.ask(slide, "statistics", c=0, z=0, t=0)
    assert not isinstance(counted, Refusal)
    assert counted[0]["every_pixel"] is False
    far = pool.ask(slide, "tile", level=9, column=0, line=0, z=0, t=0, **shown)
    assert isinstance(far, Refusal)
    assert "look from nearer" in far.expected
    (reader,) = pool.processes
    status = Path(f"/proc/{reader}/status").read_text("ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 600 << 10, f"{peak} KiB"


def test_many_askers_share_few_readers(good: File) -> None:
    pool = ReaderPool(2)
    found: list[bool] = []
    try:
        threads = [threading.Thread(target=lambda: found.append(reads(pool, good))) for _ in range(16)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
        assert found == [True] * 16
        assert len(pool.processes) <= 2
    finally:
        pool.close()
