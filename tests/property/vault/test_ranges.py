"""Any range of any file reads as it was written; any single damaged byte is noticed."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coverslip.errors import EvidenceBroken
from coverslip.vault import LocalVault

MIB = 1 << 20


@settings(max_examples=25, deadline=None)
@given(
    unit=st.binary(min_size=1, max_size=64),
    size=st.integers(0, 3 * MIB),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_every_range_reads_as_written(unit: bytes, size: int, cut: tuple[float, float]) -> None:
    data = (unit * (size // len(unit) + 1))[:size]
    start, stop = sorted(int(part * size) for part in cut)
    with tempfile.TemporaryDirectory() as folder:
        vault = LocalVault(Path(folder))
        root = vault.store(io.BytesIO(data), 4 * MIB).root
        assert vault.read_range(root, start, stop - start) == data[start:stop]
        with vault.open(root) as stream:
            stream.seek(start)
            assert stream.read(stop - start) == data[start:stop]


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 3 * MIB), at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_every_damaged_byte_is_found_where_it_is(size: int, at: float, bit: int) -> None:
    position = int(at * size)
    with tempfile.TemporaryDirectory() as folder:
        vault = LocalVault(Path(folder))
        root = vault.store(io.BytesIO(b"\x5a" * size), 4 * MIB).root
        path = vault.path(root)
        path.chmod(0o644)
        with path.open("r+b") as stream:
            stream.seek(position)
            stream.write(bytes([0x5A ^ (1 << bit)]))
        (finding,) = vault.check([root]).findings
        assert finding.kind == "damaged"
        assert finding.first <= position < finding.stop
        with pytest.raises(EvidenceBroken):
            vault.read_range(root, position, 1)
