"""What is registered: code by its bytes, parameters by their ranges, packages by their files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.analysis import registry
from coverslip.errors import Invalid, NotFound

SHIPPED = registry.NUCLEUS_COUNT


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let the registry hash a copy of the algorithms."""
    source = Path(registry.__file__).parent / "algorithms"
    shutil.copytree(source, tmp_path / "a", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(registry, "files", lambda _: tmp_path / "a")
    registry.code_hash.cache_clear()
    yield tmp_path / "a"
    registry.code_hash.cache_clear()


def hashed() -> str:
    registry.code_hash.cache_clear()
    return registry.code_hash()


def test_a_copy_has_the_hash_of_the_original(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = hashed()
    monkeypatch.undo()
    assert ours == hashed()


def test_one_byte_of_one_file_is_another_version(copy: Path) -> None:
    before = hashed()
    path = copy / "nucleus_count.py"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert hashed() != before


def test_a_file_more_a_file_less_and_another_name_are_other_versions(copy: Path) -> None:
    seen = {hashed()}
    (copy / "more.py").write_bytes(b"")
    seen.add(hashed())
    (copy / "more.py").rename(copy / "other.py")
    seen.add(hashed())
    (copy / "other.py").unlink()
    (copy / "__init__.py").unlink()
    seen.add(hashed())
    assert len(seen) == 4


def test_bytes_moved_from_one_file_to_the_next_are_another_version(copy: Path) -> None:
    (copy / "x.py").write_bytes(b"ab")
    (copy / "y.py").write_bytes(b"c")
    before = hashed()
    (copy / "x.py").write_bytes(b"a")
    (copy / "y.py").write_bytes(b"bc")
    assert hashed() != before


def test_what_is_no_source_changes_nothing(copy: Path) -> None:
    before = hashed()
    (copy / "notes.txt").write_text("x", "utf-8")
    assert hashed() == before


def test_packages_are_named_with_version_and_hash() -> None:
    packages = registry.environment(SHIPPED.imports)["packages"]
    assert [p["name"] for p in packages] == ["numpy", "scipy", "scikit-image"]
    assert all(p["version"] and len(p["files"]) == 64 for p in packages)
    assert registry.env_digest(SHIPPED.imports) == registry.env_digest(SHIPPED.imports)
    assert registry.env_digest(SHIPPED.imports) != registry.env_digest(SHIPPED.imports[:2])


def test_defaults_are_within_their_own_ranges() -> None:
    assert SHIPPED.check({}) == {p.name: p.default for p in SHIPPED.parameters}


def test_both_ends_of_a_range_are_allowed() -> None:
    for p in SHIPPED.parameters:
        assert SHIPPED.check({p.name: p.low})[p.name] == p.low
        assert SHIPPED.check({p.name: p.high})[p.name] == p.high


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("smoothing_px", "0.49", "VAL_RANGE"),
        ("smoothing_px", "5.0001", "VAL_RANGE"),
        ("smoothing_px", "-1", "VAL_RANGE"),
        ("min_area_px", "0", "VAL_RANGE"),
        ("min_area_px", "20.5", "VAL_FORM"),
        ("min_area_px", "1e400", "VAL_RANGE"),
        ("seed_height", "NaN", "VAL_FORM"),
        ("seed_height", "sNaN", "VAL_FORM"),
        ("seed_height", "Infinity", "VAL_FORM"),
        ("seed_height", "", "VAL_FORM"),
        ("seed_height", "0,1", "VAL_FORM"),
        ("seed_height", "0.1; import os", "VAL_FORM"),
        ("unheard_of", "1", "VAL_FORM"),
        ("__class__", "1", "VAL_FORM"),
    ],
)
def test_a_parameter_beyond_what_is_registered_is_refused(name: str, value: str, code: str) -> None:
    with pytest.raises(Invalid) as found:
        SHIPPED.check({name: value})
    assert found.value.code == code


def test_an_entry_point_nobody_registered_is_not_found() -> None:
    with pytest.raises(NotFound):
        registry.find("os:system")
