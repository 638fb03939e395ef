"""The one ZIP spelling: readable by everyone, derivable by the verifier, zip64 only where needed."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from coverslip.errors import EvidenceBroken
from coverslip.exports.zipfile_canonical import CanonicalZip, Head
from coverslip.verifier import zipformat, zipread
from coverslip.verifier.report import BundleError
from coverslip.verifier.zipformat import Entry
from coverslip.verifier.zipread import Container

MEMBERS = {"manifest.json": b"{}", "manifest.sig": b"-", "B": b"", "a/µ.txt": b"text" * 1000}


def _written(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    archive = CanonicalZip(out)
    for path, data in members.items():
        archive.add(Head(path, len(data), zlib.crc32(data)), [data[:7], data[7:]])
    archive.close()
    return out.getvalue()


def test_other_programs_read_it() -> None:
    with zipfile.ZipFile(io.BytesIO(_written(MEMBERS))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not any(one.extra or one.comment for one in archive.infolist())


def test_the_same_members_are_the_same_bytes() -> None:
    assert _written(MEMBERS) == _written(dict(MEMBERS))


def test_what_was_written_is_canonical() -> None:
    found = Container(io.BytesIO(_written(MEMBERS)))
    assert [entry.name for entry in found.entries] == list(MEMBERS)
    assert list(zipread.differences(found, {})) == []
    assert found.whole("a/µ.txt", 10_000) == MEMBERS["a/µ.txt"]


def test_members_cannot_be_written_out_of_order_or_twice() -> None:
    archive = CanonicalZip(io.BytesIO())
    archive.add(Head("b", 0, 0), [])
    for path in ("a", "b", "manifest.json"):
        with pytest.raises(ValueError, match="out of order"):
            archive.add(Head(path, 0, 0), [])


def test_content_that_changed_between_the_passes_stops_the_export() -> None:
    for pieces in ([b"abd"], [b"abcd"], []):
        with pytest.raises(EvidenceBroken, match="while it was exported"):
            CanonicalZip(io.BytesIO()).add(Head("a", 3, zlib.crc32(b"abc")), pieces)


def test_members_out_of_order_are_not_canonical() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("manifest.json", "manifest.sig", "b", "a"):
            archive.writestr(name, name)
    assert "near member" in next(zipread.differences(Container(out), {}))
    entries = [Entry("b", 0, 0, 0), Entry("a", 0, 0, 31)]
    plain = b"".join(map(zipformat.local_header, entries)) + b"".join(map(zipformat.central_header, entries))
    data = plain + zipformat.end_record(2, 62, len(plain) - 62)
    assert "out of order" in next(zipread.differences(Container(io.BytesIO(data)), {}))


def test_a_member_longer_than_its_limit_is_not_read_whole() -> None:
    found = Container(io.BytesIO(_written(MEMBERS)))
    with pytest.raises(BundleError, match="at most 100"):
        found.whole("a/µ.txt", 100)
    with pytest.raises(BundleError, match="missing"):
        found.whole("nothing", 100)


class Sparse:
    """A file with a member of many zeros, of which nothing is kept."""

    def __init__(self, head: bytes, size: int, tail: bytes) -> None:
        self._parts = ((0, head), (len(head) + size, tail))
        self._length, self._at = len(head) + size + len(tail), 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = (0, self._at, self._length)[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        left = self._length - self._at
        count = left if count < 0 else max(0, min(count, left))
        assert count < 2**20, "nobody reads the content"
        found = bytearray(count)
        for start, data in self._parts:
            for place, byte in enumerate(data, start - self._at):
                if 0 <= place < count:
                    found[place] = byte
        self._at += count
        return bytes(found)


def test_zip64_is_used_exactly_where_a_number_does_not_fit() -> None:
    size = 5 * 1024**3
    big, after = Entry("big", size, 0, 0), Entry("small", 0, 0, 30 + 3 + 20 + size)
    assert len(zipformat.local_header(big)) == 30 + 3 + 20
    assert len(zipformat.central_header(big)) == 46 + 3 + 4 + 16
    assert len(zipformat.central_header(after)) == 46 + 5 + 4 + 8
    assert len(zipformat.local_header(after)) == 30 + 5
    start = after.offset + len(zipformat.local_header(after))
    directory = zipformat.central_header(big) + zipformat.central_header(after)
    tail = zipformat.local_header(after) + directory + zipformat.end_record(2, start, len(directory))
    stream: Any = Sparse(zipformat.local_header(big), size, tail)
    with zipfile.ZipFile(stream) as archive:
        assert [(one.filename, one.file_size) for one in archive.infolist()] == [("big", size), ("small", 0)]
    found = Container(stream)
    assert [entry.size for entry in found.entries] == [size, 0]
    assert list(zipread.differences(found, {})) == []


@pytest.mark.parametrize("count", [0xFFFE, 0xFFFF, 0x10000])
def test_many_members_are_counted_right(count: int) -> None:
    tail = zipformat.end_record(count, 10, 20)
    assert (len(tail) > 22) == (count >= 0xFFFF)
    assert struct.unpack("<H", tail[-12:-10])[0] == min(count, 0xFFFF)


def test_a_hostile_size_allocates_nothing(tmp_path: Path) -> None:
    head = bytearray(zipformat.local_header(Entry("manifest.json", 10, 0, 0)))
    head[18:26] = b"\xfe\xff\xff\xff" * 2
    path = tmp_path / "hostile"
    path.write_bytes(bytes(head) + os.urandom(100))
    with path.open("rb") as stream:
        found = Container(stream)
        assert found.entries == []
        assert "beyond the end" in next(zipread.differences(found, {}))


def test_reading_in_pieces_gives_the_same_digest() -> None:
    found = Container(io.BytesIO(_written(MEMBERS)))
    digest = found.digest("a/µ.txt")
    tree = found.digest("a/µ.txt", tree=True)
    assert digest.sha256 == tree.sha256 and digest.crc == tree.crc == zlib.crc32(MEMBERS["a/µ.txt"])
    assert len(tree.root) == 64 and digest.root == ""
