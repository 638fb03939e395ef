"""Copies, other majors, edited settings, broken data, and secrets that must stay where they are."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coverslip.errors import EnvironmentFault
from coverslip.store.server import LOGIN_ROLES, Cluster


def _one(dsn: dict[str, Any], query: str) -> Any:
    with psycopg.connect(**dsn) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def _admin(cluster: Cluster) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(**cluster.dsn("cs_superuser"), autocommit=True)


def test_a_copied_home_starts_beside_its_running_original(
    own_cluster: Cluster, new_home: Callable[[], Path]
) -> None:
    home = new_home()
    subprocess.run(["cp", "-a", str(own_cluster.home), str(home)], check=True)
    copy = Cluster(home, "evaluation")
    with own_cluster.running():
        # What a copy taken under a running server brings along, naming the original's live process.
        for name in ("data/postmaster.pid", "run/.s.PGSQL.5432", "run/.s.PGSQL.5432.lock"):
            here, there = own_cluster.postgres / name, copy.postgres / name
            subprocess.run(["cp", "-a", str(here), str(there)], check=True)
        assert copy.status().state == "stopped"
        with copy.running():
            for cluster in (own_cluster, copy):
                assert _one(cluster.dsn("cs_superuser"), "show data_directory") == str(cluster.data)
        assert own_cluster.status().state == "running"


def test_another_major_is_refused_with_the_command_to_migrate(own_cluster: Cluster) -> None:
    own = own_cluster.binaries().major
    for other in {14, 17, 19} - {own}:
        (own_cluster.data / "PG_VERSION").write_text(f"{other}\n")
        with pytest.raises(EnvironmentFault) as caught:
            own_cluster.start()
        assert "coverslip migrate" in caught.value.remedy
        assert f"major {other}" in caught.value.message
    (own_cluster.data / "PG_VERSION").write_text(f"{own}\n")
    with own_cluster.running():
        assert own_cluster.status().major == own


def test_a_production_home_made_by_the_wheel_is_not_run_with_the_wheel(
    new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_home()
    Cluster(home, "evaluation", prefer="wheel").create()
    with pytest.raises(EnvironmentFault, match="PostgreSQL programs"):
        Cluster(home, "production").start()


def test_edited_settings_do_not_last(own_cluster: Cluster) -> None:
    with own_cluster.running(), _admin(own_cluster) as admin:
        for setting in (
            "fsync = off",
            "full_page_writes = off",
            "log_statement = 'all'",
            "listen_addresses = '127.0.0.1'",
            "log_min_error_statement = 'error'",
        ):
            admin.execute(f"alter system set {setting}".encode())
    with (own_cluster.data / "postgresql.conf").open("a") as conf:
        conf.write("max_connections = 7\nsynchronous_commit = off\n")
    (own_cluster.data / "pg_hba.conf").write_text("local all all trust\n")
    with own_cluster.running():
        dsn = own_cluster.dsn("cs_superuser")
        names = (
            "fsync",
            "full_page_writes",
            "log_statement",
            "listen_addresses",
            "log_min_error_statement",
            "max_connections",
            "synchronous_commit",
        )
        assert [_one(dsn, f"show {name}") for name in names] == ["on", "on", "none", "", "panic", "100", "on"]
        assert _one(dsn, "select count(*) from pg_hba_file_rules where auth_method = 'trust'") == 0
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            _one({**dsn, "password": "wrong"}, "select 1")


def test_a_failed_start_shows_the_last_lines_and_gives_the_lock_back(own_cluster: Cluster) -> None:
    control = own_cluster.data / "global" / "pg_control"
    kept = control.read_bytes()
    control.unlink()
    with pytest.raises(EnvironmentFault, match="pg_control"):
        own_cluster.start()
    assert own_cluster.status().state == "stopped"
    control.write_bytes(kept)
    subprocess.run(["chown", "--reference", str(own_cluster.data), str(control)], check=True)
    second = Cluster(own_cluster.home, "evaluation")
    with second.running():
        assert second.status().state == "running"


def test_no_secret_is_on_a_command_line_in_an_environment_or_in_a_log(own_cluster: Cluster) -> None:
    with own_cluster.running():
        own_cluster.create_roles()
        secrets = [own_cluster.dsn(role)["password"] for role in ("cs_superuser", *LOGIN_ROLES)]
        with pytest.raises(psycopg.OperationalError):
            _one({**own_cluster.dsn("cs_reader"), "password": secrets[0]}, "select 1")
        postmaster = own_cluster.status().postmaster
        about = Path("/proc") / str(postmaster)
        seen = (about / "cmdline").read_bytes() + (about / "environ").read_bytes()
        assert b"cluster_name=coverslip" in seen
    logs = [*(own_cluster.postgres / "log").glob("*.log"), own_cluster.start_log]
    written = b"".join(log.read_bytes() for log in logs)
    assert b"password authentication failed" in written
    for secret in secrets:
        assert secret.encode() not in seen + written
    assert b"SCRAM-SHA-256$" not in written


def test_initdb_is_given_the_secret_in_a_private_file_only(
    new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from coverslip.store.server import initialise

    seen: list[str] = []
    real = subprocess.run

    def watch(argv: list[str], **options: Any) -> Any:
        if any(str(part).endswith("initdb") for part in argv):
            seen.extend([*argv, *options["env"].values()])
            where = Path(argv[argv.index("--pwfile") + 1])
            assert where.stat().st_mode & 0o077 == 0
            assert where.parent.stat().st_mode & 0o077 == 0
        return real(argv, **options)

    monkeypatch.setattr(initialise.subprocess, "run", watch)
    cluster = Cluster(new_home(), "evaluation")
    cluster.create()
    assert "--data-checksums" in seen
    assert cluster.dsn("cs_superuser")["password"] not in seen
    assert not (cluster.postgres / ".initial").exists()


def test_values_of_failing_statements_do_not_reach_the_log(own_cluster: Cluster) -> None:
    with own_cluster.running(), _admin(own_cluster) as admin:
        admin.execute("create table person (name text primary key)")
        admin.execute("insert into person values ('Erika Mustermann')")
        for _ in range(2):
            with pytest.raises(psycopg.errors.UniqueViolation):
                admin.execute("insert into person values ('Erika Mustermann')")
            with pytest.raises(psycopg.errors.UniqueViolation):
                admin.execute("insert into person values (%s)", ["Erika Mustermann"])
    written = b"".join(log.read_bytes() for log in (own_cluster.postgres / "log").glob("*.log"))
    assert b"duplicate key" in written
    assert b"Mustermann" not in written


def test_the_server_dumps_no_core(own_cluster: Cluster) -> None:
    with own_cluster.running():
        postmaster = own_cluster.status().postmaster
        limits = (Path("/proc") / str(postmaster) / "limits").read_text().splitlines()
    line = next(line for line in limits if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]


def test_the_servers_environment_holds_nothing_of_ours(
    own_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c fsync=off")
    monkeypatch.setenv("COVERSLIP_PROBE", "private")
    with own_cluster.running():
        postmaster = own_cluster.status().postmaster
        seen = (Path("/proc") / str(postmaster) / "environ").read_bytes()
    assert b"PGOPTIONS" not in seen
    assert b"COVERSLIP_PROBE" not in seen
