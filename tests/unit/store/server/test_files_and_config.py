"""Secrets are private; the written configuration trusts nobody and listens nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.store.server import config, files
from coverslip.store.server.roles import CONNECTION_LIMITS, LOGIN_ROLES

ME = (os.geteuid(), os.getegid())


def test_a_secret_is_made_once_private_and_random(tmp_path: Path) -> None:
    first = files.ensure_secret(tmp_path / "a", *ME)
    assert files.ensure_secret(tmp_path / "a", *ME) == first
    assert files.ensure_secret(tmp_path / "b", *ME) != first
    assert len(bytes.fromhex(first)) == 32
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_secret_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    files.ensure_secret(tmp_path / "a", *ME)
    (tmp_path / "a").chmod(mode)
    with pytest.raises(EnvironmentFault, match="mode 0600"):
        files.read_secret(tmp_path / "a")


def test_a_secret_that_is_missing_empty_or_a_link_is_refused(tmp_path: Path) -> None:
    files.ensure_secret(tmp_path / "real", *ME)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    files.write_private(tmp_path / "empty", "\n", *ME)
    for name in ("missing", "link", "empty"):
        with pytest.raises(EnvironmentFault):
            files.read_secret(tmp_path / name)


def test_a_private_folder_is_corrected_and_a_file_in_its_place_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    files.private_folder(tmp_path / "open", *ME)
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "open")
    for name in ("file", "link"):
        with pytest.raises(EnvironmentFault, match="expected a folder"):
            files.private_folder(tmp_path / name, *ME)


def test_the_access_file_trusts_nobody_and_rejects_the_rest() -> None:
    lines = [line.split() for line in config.pg_hba_conf(LOGIN_ROLES).splitlines() if line[:1] != "#"]
    assert {line[0] for line in lines} == {"local"}
    assert {line[-1] for line in lines} == {"scram-sha-256", "reject"}
    assert lines[-2:] == [["local", "all", "all", "reject"], ["local", "replication", "all", "reject"]]
    assert {line[2] for line in lines if line[1] == "coverslip"} == set(LOGIN_ROLES)


def test_roles_cannot_use_up_all_connections() -> None:
    assert sum(CONNECTION_LIMITS.values()) <= 100 - 5 - 5


def test_a_short_home_has_its_socket_inside_and_a_long_one_below_tmp() -> None:
    assert config.socket_folder(Path("/srv/lab")) == Path("/srv/lab/postgres/run")
    long = Path("/srv") / ("x" * 120)
    folder = config.socket_folder(long)
    assert folder.parent == Path("/tmp")
    assert len(os.fsencode(config.socket_file(folder))) <= config.SOCKET_PATH_LIMIT
    assert config.socket_folder(long) == folder
    assert config.socket_folder(long / "other") != folder


def test_the_length_limit_counts_bytes_and_the_socket_itself() -> None:
    room = config.SOCKET_PATH_LIMIT - len("//postgres/run/.s.PGSQL.5432")
    assert config.socket_folder(Path("/" + "x" * room)).name == "run"
    assert config.socket_folder(Path("/" + "x" * (room + 1))).name != "run"
    assert config.socket_folder(Path("/" + "é" * room)).name != "run"


def test_a_comma_in_the_path_does_not_split_the_socket_setting() -> None:
    assert config.socket_folder(Path("/srv/a,b")).parent == Path("/tmp")


def test_a_socket_folder_of_somebody_else_or_open_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    config.check_socket_folder(folder, frozenset({ME[0]}))
    folder.mkdir(mode=0o700)
    config.check_socket_folder(folder, frozenset({ME[0]}))
    with pytest.raises(EnvironmentFault, match="socket folder"):
        config.check_socket_folder(folder, frozenset({ME[0] + 1}))
    folder.chmod(0o755)
    with pytest.raises(EnvironmentFault, match="socket folder"):
        config.check_socket_folder(folder, frozenset({ME[0]}))


def test_quotes_in_a_path_are_escaped() -> None:
    assert "unix_socket_directories = '/a''b\\\\c'" in config.postgresql_conf(Path("/a'b\\c"))
