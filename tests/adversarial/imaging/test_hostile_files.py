"""Broken and hostile files are refused or found out; none is taken for fine, none harms the caller."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

import coverslip.cli.demo
from coverslip.imaging import ImageMetadata, Limits, Refusal, inspect, read_plane

DEMO = Path(next(iter(coverslip.cli.demo.__path__))) / "images"
PIXELS = (np.arange(48 * 64, dtype=np.uint16) * 7).reshape(48, 64)
PNG = b"\x89PNG\r\n\x1a\n"


def known(path: Path, limits: Limits | None = None) -> ImageMetadata:
    answer = inspect(path, limits)
    assert isinstance(answer, ImageMetadata), answer
    return answer


def refused(path: Path, limits: Limits | None = None) -> Refusal:
    answer = inspect(path, limits)
    assert isinstance(answer, Refusal), answer
    return answer


def bad(metadata: ImageMetadata) -> set[str]:
    return {item.check for item in metadata.failed()}


def entry(code: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", code, kind, count, value)


def tiff(
    entries: list[bytes], following: int = 0, data: bytes = b"\x01" * 64, tags: int | None = None
) -> bytes:
    """A classic little-endian TIFF: header, directory at byte 8, then ``data``."""
    head = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries) if tags is None else tags)
    return head + b"".join(entries) + struct.pack("<I", following) + data


def simple(
    width: int = 8, length: int = 8, offset: int | None = None, count: int = 64, **more: int
) -> list[bytes]:
    entries = [
        entry(256, 4, 1, width), entry(257, 4, 1, length), entry(258, 3, 1, more.get("bits", 8)),
        entry(259, 3, 1, more.get("compression", 1)), entry(262, 3, 1, 1),
        entry(273, 4, 1, 0 if offset is None else offset), entry(277, 3, 1, 1),
        entry(278, 4, 1, more.get("rows", length)), entry(279, 4, 1, count),
    ]  # fmt: skip
    if offset is None:
        entries[5] = entry(273, 4, 1, 8 + 2 + 12 * len(entries) + 4)
    return entries


def save(tmp_path: Path, data: bytes, name: str = "a.tif") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_the_hand_made_file_is_fine_as_long_as_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    assert bad(known(save(tmp_path, tiff(simple())))) == {"calibration"}


@pytest.mark.parametrize(
    ("data", "check"),
    [
        (b"", "parses"),
        (b"\x00" * 100, "parses"),
        (b"II*\x00", "parses"),
        (b"%PDF-1.7 and so on", "parses"),
        (b"PK\x03\x04" + b"\x00" * 40, "parses"),
        (b"MM\x00*\x00\x00\x00\x00", "parses"),
        (b"II+\x00\x04\x00\x00\x00" + b"\x00" * 8, "parses"),
        (b"II*\x00\xff\xff\xff\x7f", "truncated"),
        (tiff([], tags=0), "structure"),
        (tiff(simple(), tags=60000), "structure"),
        (tiff(simple(), tags=1500), "truncated"),
        (tiff(simple(width=0)), "dimensions"),
        (tiff(simple(length=0)), "dimensions"),
        (tiff(simple(width=0xFFFFFFFF, length=0xFFFFFFFF)), "dimensions"),
        (tiff(simple(bits=0)), "dimensions"),
        (tiff(simple(length=0x7FFFFFFF, rows=1)), "dimensions"),
        (PNG, "parses"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "parses"),
    ],
    ids=[
        *(
            "empty",
            "zeros",
            "header only",
            "pdf",
            "zip",
            "no directory",
            "wrong bigtiff",
            "directory far away",
        ),
        *(
            "no tags",
            "too many tags",
            "fewer tags than said",
            "no width",
            "no length",
            "absurd size",
            "no bits",
        ),
        *("too many strips", "png start", "jpeg start"),
    ],
)
def test_what_is_no_readable_image_is_refused_by_name(tmp_path: Path, data: bytes, check: str) -> None:
    path = save(tmp_path, data, "a.bin")
    answer = refused(path)
    assert answer.check == check, answer
    assert answer.expected
    assert answer.found
    plane = read_plane(path)
    assert isinstance(plane, Refusal)


def test_a_directory_loop_ends_the_walk(tmp_path: Path) -> None:
    metadata = known(save(tmp_path, tiff(simple(), following=8)))
    (finding,) = metadata.failed("structure")
    assert "leads back to byte 8" in finding.found


def test_a_sub_directory_loop_is_found(tmp_path: Path) -> None:
    entries = simple()
    start = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries[5] = entry(273, 4, 1, start)
    metadata = known(save(tmp_path, tiff([*entries, entry(330, 4, 1, 8)])))
    assert "structure" in bad(metadata)


def test_more_pages_than_allowed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(12):
            writer.write(PIXELS, metadata=None, contiguous=False)
    assert known(path, replace(Limits(), max_planes=12)).planes_present == 12
    assert refused(path, replace(Limits(), max_planes=11)).check == "limits"


def test_a_strip_outside_the_file_names_page_and_bytes(tmp_path: Path) -> None:
    metadata = known(save(tmp_path, tiff(simple(offset=5000))))
    (finding,) = metadata.failed("truncated")
    assert "bytes 5000 to 5064" in finding.expected
    assert "page 0" in finding.where
    assert metadata.planes_present == 0
    assert "planes" in bad(metadata)
    plane = read_plane(tmp_path / "a.tif")
    assert isinstance(plane, Refusal)
    assert plane.check == "truncated"


def test_a_strip_without_bytes_is_no_black_plane(tmp_path: Path) -> None:
    path = save(tmp_path, tiff(simple(count=0)))
    assert "segments" in bad(known(path))
    plane = read_plane(path)
    assert isinstance(plane, Refusal)
    assert plane.check == "segments"


def test_a_strip_shorter_than_its_rows_is_found(tmp_path: Path) -> None:
    assert "segments" in bad(known(save(tmp_path, tiff(simple(count=63)))))


def test_missing_strips_are_found(tmp_path: Path) -> None:
    assert "truncated" in bad(known(save(tmp_path, tiff(simple(rows=2)))))


def test_a_tag_whose_values_lie_outside_the_file_is_found(tmp_path: Path) -> None:
    entries = simple()
    entries[5] = entry(273, 4, 1, 8 + 2 + 12 * (len(entries) + 1) + 4)
    metadata = known(save(tmp_path, tiff([*entries, entry(305, 2, 0x7FFFFFFF, 16)])))
    assert any("tag 305" in item.expected for item in metadata.failed("truncated"))


@pytest.mark.parametrize("compression", ["zlib", "lzw", "zstd", "lzma", "packbits"])
def test_compressed_data_that_ends_early_is_found(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, compression=compression, rowsperstrip=48)
    with tifffile.TiffFile(path) as source:
        page = source.pages.first
        offset, count = page.dataoffsets[0], page.databytecounts[0]
        tag = page.tags[279].valueoffset
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, tag, count // 2)
    data[offset + count // 2 : offset + count] = bytes(count - count // 2)
    path.write_bytes(data)
    metadata = known(path)
    assert "decodes" in bad(metadata), metadata.findings
    plane = read_plane(path)
    assert isinstance(plane, Refusal)
    assert plane.check == "decodes"


def test_an_unknown_compression_is_not_fine(tmp_path: Path) -> None:
    metadata = known(save(tmp_path, tiff(simple(compression=60001))))
    assert {"decodes", "lossy"} <= bad(metadata)


def test_a_damaged_jpeg_strip_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, (PIXELS % 251).astype(np.uint8), compression="jpeg")
    with tifffile.TiffFile(path) as source:
        offset, count = source.pages.first.dataoffsets[0], source.pages.first.databytecounts[0]
    data = bytearray(path.read_bytes())
    data[offset + count - 40 : offset + count] = bytes(40)
    path.write_bytes(data)
    assert "decodes" in bad(known(path))


def test_a_cut_jpeg_file_is_found(tmp_path: Path) -> None:
    data = imagecodecs.jpeg8_encode((PIXELS % 251).astype(np.uint8), level=90)
    path = save(tmp_path, data[: len(data) * 2 // 3], "a.jpg")
    metadata = known(path)
    assert "truncated" in bad(metadata)
    assert metadata.planes_present == 0
    assert isinstance(read_plane(path), Refusal)


def test_a_bomb_in_one_strip_is_not_inflated(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(1 << 20) * 16, 6)
    entries = simple(width=60000, length=60000, rows=60000, count=len(packed), compression=8)
    answer = refused(save(tmp_path, tiff(entries, data=packed)))
    assert answer.check == "limits"


def test_a_strip_that_inflates_beyond_its_rows_stays_bounded(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(1 << 20) * 128, 6)
    metadata = known(save(tmp_path, tiff(simple(count=len(packed), compression=8), data=packed)))
    assert metadata.dims.x == 8


def test_a_reader_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(400_000_000), 1)
    entries = simple(width=20000, length=20000, rows=20000, count=len(packed), compression=8)
    path = save(tmp_path, tiff(entries, data=packed))
    assert known(path).planes_present == 1
    answer = refused(path, replace(Limits(), address_space=450 << 20))
    assert (answer.check, "memory" in answer.expected) == ("limits", True)


def test_a_reader_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """Five thousand strips that all name the same bytes: cheap to write, dear to read."""
    packed = zlib.compress(bytes(8_000_000), 9)
    strips, rows, width = 5_000, 1000, 8000
    entries = simple(width=width, length=strips * rows, rows=rows, compression=8)
    start = 8 + 2 + 12 * len(entries) + 4
    entries[5] = entry(273, 4, strips, start + len(packed))
    entries[8] = entry(279, 4, strips, start + len(packed) + 4 * strips)
    tables = struct.pack(f"<{2 * strips}I", *[start] * strips, *[len(packed)] * strips)
    path = save(tmp_path, tiff(entries, data=packed + tables))
    computing = refused(path, replace(Limits(), cpu_seconds=2))
    assert (computing.check, "stopped" in computing.found) == ("limits", True)
    waiting = refused(path, replace(Limits(), wall_seconds=2))
    assert (waiting.check, "stopped" in waiting.found) == ("limits", True)


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "&a;" * 10}">' for n in range(9))
    + "]><OME><Image><Pixels>&a8;</Pixels></Image></OME>"
)
DEEP = "<OME>" + "<a>" * 99 + "</a>" * 99 + "</OME>"
ONLY_A_TYPE = "<!DOCTYPE OME><OME><Image/></OME>"
READS_A_FILE = (
    '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<OME Creator="&x;"><Image><Pixels SizeX="64"/></Image></OME>'
)


@pytest.mark.parametrize(
    "xml",
    [BOMB, READS_A_FILE, ONLY_A_TYPE, "<OME><Image>", "<OME " + "<a>" * 100, DEEP],
    ids=["entity bomb", "external entity", "document type", "unclosed", "malformed", "deep"],
)
def test_hostile_xml_is_found_and_nothing_of_it_is_used(tmp_path: Path, xml: str) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, PIXELS, description=xml, metadata=None)
    metadata = known(path)
    assert "xml" in bad(metadata)
    assert metadata.format == "TIFF"
    assert "root:" not in str(metadata.content())


@pytest.mark.parametrize(
    "sizes", ['SizeC="-3" SizeT="1"', 'SizeC="1e9" SizeT="1"', 'SizeC="x" SizeT="1"', ""]
)
def test_impossible_ome_sizes_are_refused(tmp_path: Path, sizes: str) -> None:
    path = tmp_path / "a.ome.tif"
    start = '<OME><Image><Pixels DimensionOrder="XYZCT" Type="uint16" SizeX="64" SizeY="48" SizeZ="1" '
    xml = f"{start}{sizes}/></Image></OME>"
    tifffile.imwrite(path, PIXELS, description=xml, metadata=None)
    assert refused(path).check == "dimensions"


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ('SizeC="1"', 'SizeC="9"', "planes"),
        ("<TiffData/>", '<TiffData IFD="7" PlaneCount="1"/>', "planes"),
        ('SizeX="64"', 'SizeX="65"', "agrees"),
        ('Type="uint16"', 'Type="uint8"', "agrees"),
        (
            "<TiffData/>",
            '<TiffData IFD="0"><UUID FileName="other.ome.tif">urn:uuid:1</UUID></TiffData>',
            "companion",
        ),
    ],
)
def test_ome_metadata_that_does_not_fit_the_file_is_found(
    tmp_path: Path, old: str, new: str, check: str
) -> None:
    xml = (
        '<OME><Image><Pixels DimensionOrder="XYZCT" Type="uint16" SizeX="64" SizeY="48" SizeZ="1" SizeC="1" '
        'SizeT="1"><TiffData/></Pixels></Image></OME>'
    )
    sound, broken = tmp_path / "sound.ome.tif", tmp_path / "broken.ome.tif"
    tifffile.imwrite(sound, PIXELS, description=xml, metadata=None)
    tifffile.imwrite(broken, PIXELS, description=xml.replace(old, new), metadata=None)
    assert bad(known(sound)) == {"calibration"}
    assert check in bad(known(broken))


def test_a_plane_that_is_only_declared_is_refused_not_black(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    xml = (
        '<OME><Image><Pixels DimensionOrder="XYZCT" Type="uint16" SizeX="64" SizeY="48" SizeZ="1" SizeC="9" '
        'SizeT="1"><TiffData/></Pixels></Image></OME>'
    )
    tifffile.imwrite(path, PIXELS, description=xml, metadata=None)
    assert not isinstance(read_plane(path, c=0), Refusal)
    plane = read_plane(path, c=1)
    assert isinstance(plane, Refusal)
    assert plane.check == "planes"


def test_a_binary_only_file_says_its_metadata_is_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    xml = '<OME><BinaryOnly MetadataFile="b.companion.ome" UUID="urn:uuid:1"/></OME>'
    tifffile.imwrite(path, PIXELS, description=xml, metadata=None)
    (finding,) = known(path).failed("companion")
    assert "b.companion.ome" in finding.found


def test_undeclared_pages_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for index in range(3):
            description = "ImageJ=1.53\nimages=2\nchannels=2\n" if index == 0 else None
            writer.write(PIXELS, description=description, metadata=None, contiguous=False)
    assert "planes" in bad(known(path))


def chunks(data: bytes) -> list[tuple[int, bytes, int]]:
    found, offset = [], 8
    while offset < len(data):
        length, kind = struct.unpack(">I4s", data[offset : offset + 8])
        found.append((offset, kind, length))
        offset += 12 + length
    return found


def png(tmp_path: Path, change: str) -> Path:
    """A PNG damaged in one way."""
    data = bytearray(imagecodecs.png_encode(PIXELS))
    at, length = next((offset, size) for offset, kind, size in chunks(bytes(data)) if kind == b"IDAT")
    if change == "flipped bit":
        data[at + 8 + length // 2] ^= 4
    elif change == "recomputed checksum":
        data[at + 8 + length // 2] ^= 4
        crc = zlib.crc32(bytes(data[at + 4 : at + 8 + length]))
        data[at + 8 + length : at + 12 + length] = struct.pack(">I", crc)
    elif change == "cut":
        del data[at + 20 :]
    elif change == "no end":
        del data[-12:]
    elif change == "more":
        data += b"appended"
    elif change == "length":
        data[at : at + 4] = struct.pack(">I", 0x7FFFFFF0)
    return save(tmp_path, bytes(data), "a.png")


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        ("none", set()),
        ("flipped bit", {"checksum"}),
        ("recomputed checksum", {"decodes"}),
        ("cut", {"truncated", "decodes", "planes"}),
        ("no end", {"truncated"}),
        ("more", {"structure"}),
        ("length", {"truncated"}),
    ],
)
def test_every_damage_to_a_png_is_found(tmp_path: Path, change: str, checks: set[str]) -> None:
    path = png(tmp_path, change)
    found = bad(known(path)) - {"calibration"}
    assert checks <= found
    assert bool(checks) == bool(found)
    readable = change in ("none", "more")
    assert isinstance(read_plane(path), Refusal) != readable


def test_a_png_bomb_is_counted_not_kept(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packed = zlib.compress(bytes(1 << 20) * 128, 6)
    data = PNG + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    metadata = known(save(tmp_path, data, "a.png"), replace(Limits(), address_space=1 << 30, cpu_seconds=20))
    assert "decodes" in bad(metadata)
    huge = (
        PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 1 << 30, 1 << 30, 8, 0, 0, 0, 0)) + chunk(b"IEND", b"")
    )
    assert refused(save(tmp_path, huge, "b.png")).check == "dimensions"


def test_random_damage_never_passes_unnoticed_as_a_crash_of_the_caller(tmp_path: Path) -> None:
    whole = (DEMO / "9987_B03_s1_w1.TIF").read_bytes()
    for seed in range(12):
        noise = hashlib.shake_128(bytes([seed])).digest(64)
        data = bytearray(whole)
        for at in range(0, 64, 4):
            data[len(data) - 1 - int.from_bytes(noise[at : at + 2], "big") % 7000] = noise[at + 2]
        answer = inspect(save(tmp_path, bytes(data), f"{seed}.tif"))
        assert isinstance(answer, ImageMetadata | Refusal)


GUARD = """
import os, sys
from coverslip.imaging.readers import child
sys.addaudithook(child.guard(sys.argv[1]))
import socket
allowed = []
for name, act in {
    "socket": lambda: socket.socket(),
    "program": lambda: os.system("true"),
    "fork": lambda: os.fork(),
    "write": lambda: open(sys.argv[1] + ".other", "w"),
    "remove": lambda: os.remove(sys.argv[1] + ".none"),
}.items():
    try:
        act()
    except child.Forbidden:
        continue
    allowed.append(name)
open(sys.argv[1], "w").close()
open(__file__ if "__file__" in globals() else os.devnull).close()
print(allowed)
"""


def test_a_reader_cannot_open_sockets_start_programs_or_write_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GUARD, str(tmp_path / "plane.npy")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert answer.stdout.strip() == "[]"
