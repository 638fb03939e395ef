"""A cluster is made, started, used and stopped; each role is itself and nobody else."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coverslip.errors import EnvironmentFault
from coverslip.store.server import LOGIN_ROLES, Cluster, roles

Superuser = psycopg.Connection[tuple[Any, ...]]


def _login(dsn: dict[str, object]) -> str:
    with psycopg.connect(**dsn) as connection:  # type: ignore[arg-type]
        row = connection.execute("select session_user::text").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("role", [role for role in LOGIN_ROLES if role != "cs_migrator"])
def test_each_role_logs_in_with_its_own_secret_and_no_other(cluster: Cluster, role: str) -> None:
    assert _login(cluster.dsn(role)) == role
    for other in ("cs_superuser", *LOGIN_ROLES):
        if other != role:
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                _login({**cluster.dsn(role), "password": cluster.dsn(other)["password"]})


def test_no_role_logs_in_without_a_secret(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    for role in ("cs_superuser", "cs_writer"):
        dsn = {name: value for name, value in cluster.dsn(role).items() if name != "password"}
        with pytest.raises(psycopg.OperationalError, match="no password"):
            _login(dsn)


def test_the_migrator_logs_in_only_while_migrating_and_works_as_the_owner(own_cluster: Cluster) -> None:
    with own_cluster.running():
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            _login(own_cluster.dsn("cs_migrator"))
        with own_cluster.migrating() as dsn:
            left_open = psycopg.connect(**dsn, autocommit=True)
            assert left_open.execute("select current_user").fetchone() == ("cs_owner",)
            left_open.execute("create schema probe")
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("select 1")
        left_open.close()
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            _login(own_cluster.dsn("cs_migrator"))
        with psycopg.connect(**own_cluster.dsn("cs_superuser")) as admin:
            owner = admin.execute("select nspowner::regrole::text from pg_namespace where nspname = 'probe'")
            assert owner.fetchone() == ("cs_owner",)


def test_a_failed_migration_closes_the_door_too(own_cluster: Cluster) -> None:
    with own_cluster.running():
        with pytest.raises(ZeroDivisionError), own_cluster.migrating():
            _ = 1 / 0
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            _login(own_cluster.dsn("cs_migrator"))


def test_a_migration_cut_off_by_a_crash_is_closed_at_the_next_start(own_cluster: Cluster) -> None:
    with own_cluster.running(), psycopg.connect(**own_cluster.dsn("cs_superuser"), autocommit=True) as admin:
        roles.allow_migrator(admin, True)
        assert _login(own_cluster.dsn("cs_migrator")) == "cs_migrator"
    with own_cluster.running(), pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        _login(own_cluster.dsn("cs_migrator"))


def test_the_owner_cannot_log_in_and_has_no_password(cluster: Cluster, superuser: Superuser) -> None:
    row = superuser.execute("select rolcanlogin, rolpassword from pg_authid where rolname = 'cs_owner'")
    assert row.fetchone() == (False, None)
    with pytest.raises(ValueError, match="no login role"):
        cluster.dsn("cs_owner")


def test_roles_are_plain_limited_and_without_jit(superuser: Superuser) -> None:
    found = superuser.execute(
        "select rolname, rolconnlimit,"
        " rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls,"
        " 'jit=off' = any(s.setconfig), left(rolpassword, 14) from pg_authid"
        " join pg_db_role_setting s on s.setrole = pg_authid.oid where rolname like 'cs\\_%'"
        " and rolname not in ('cs_superuser', 'cs_owner')"
    ).fetchall()
    wanted = {(r, n, False, True, "SCRAM-SHA-256$") for r, n in roles.CONNECTION_LIMITS.items()}
    assert set(found) == wanted


def test_making_roles_again_changes_nothing_and_keeps_secrets(own_cluster: Cluster) -> None:
    before = {path.name: path.read_text() for path in own_cluster.secrets.iterdir()}
    with own_cluster.running():
        own_cluster.create_roles()
        assert _login(own_cluster.dsn("cs_reader")) == "cs_reader"
    assert {path.name: path.read_text() for path in own_cluster.secrets.iterdir()} == before


def test_a_replaced_secret_takes_effect_when_roles_are_made_again(own_cluster: Cluster) -> None:
    with own_cluster.running():
        old = own_cluster.dsn("cs_reader")
        (own_cluster.secrets / "cs_reader").unlink()
        own_cluster.create_roles()
        assert own_cluster.dsn("cs_reader")["password"] != old["password"]
        assert _login(own_cluster.dsn("cs_reader")) == "cs_reader"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            _login(old)


def test_public_has_nothing(cluster: Cluster) -> None:
    with psycopg.connect(**cluster.dsn("cs_reader"), autocommit=True) as reader:
        for refused in (
            "create table public.t (a int)",
            "create temporary table t (a int)",
            "create schema s",
            "select public.nothing()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(refused)
    for database in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError):
            _login({**cluster.dsn("cs_reader"), "dbname": database})


def test_the_server_is_durable_private_and_in_utc(superuser: Superuser) -> None:
    wanted = {
        "data_checksums": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "wal_level": "replica",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "TimeZone": "UTC",
        "password_encryption": "scram-sha-256",
        "jit": "off",
        "log_statement": "none",
        "max_connections": "100",
        "shared_buffers": "64MB",
        "server_encoding": "UTF8",
        "logging_collector": "on",
    }
    found = {name: superuser.execute(f"show {name}").fetchone() for name in wanted}
    assert found == {name: (value,) for name, value in wanted.items()}
    collation = superuser.execute("select datcollate from pg_database where datname = 'coverslip'").fetchone()
    assert collation == ("C",)


def test_secrets_and_socket_are_private_on_disk(cluster: Cluster) -> None:
    assert {path.name for path in cluster.secrets.iterdir()} == {"cs_superuser", *LOGIN_ROLES}
    assert {stat.S_IMODE(path.stat().st_mode) for path in cluster.secrets.iterdir()} == {0o600}
    for folder in (cluster.secrets, cluster.data, cluster.socket_folder, cluster.postgres / "log"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_status_follows_the_life_of_a_cluster(new_home: Callable[[], Path]) -> None:
    cluster = Cluster(new_home(), "evaluation")
    assert cluster.status().state == "absent"
    with pytest.raises(EnvironmentFault, match="a data directory"):
        cluster.start()
    cluster.create()
    assert cluster.status().state == "stopped"
    with cluster.running():
        status = cluster.status()
        assert (status.state, status.supervised) == ("running", True)
        cluster.start()
        assert cluster.status().postmaster == status.postmaster
    assert cluster.status().state == "stopped"
    cluster.stop()
    with pytest.raises(EnvironmentFault, match="none yet"):
        cluster.create()


def test_a_smart_stop_waits_and_says_what_to_do(own_cluster: Cluster) -> None:
    with own_cluster.running():
        with psycopg.connect(**own_cluster.dsn("cs_reader")) as held:
            held.execute("select 1")
            with pytest.raises(EnvironmentFault, match="smart stop"):
                own_cluster.stop("smart", timeout=0.3)
            assert own_cluster.status().postmaster is not None
        own_cluster.stop("smart")
        assert own_cluster.status().state == "stopped"


def test_the_wheels_server_starts_for_evaluation_only(new_home: Callable[[], Path]) -> None:
    home = new_home()
    with pytest.raises(EnvironmentFault, match="wheel"):
        Cluster(home, "production", prefer="wheel").create()
    cluster = Cluster(home, "evaluation", prefer="wheel")
    cluster.create()
    with cluster.running():
        cluster.create_roles()
        assert _login(cluster.dsn("cs_writer")) == "cs_writer"


@pytest.mark.parametrize("name", ['it\'s a "lab", née \\ 1', "x" * 120])
def test_odd_and_long_paths_work(new_home: Callable[[], Path], template_home: Path, name: str) -> None:
    home = new_home().with_name(name)
    subprocess.run(["cp", "-a", str(template_home), str(home)], check=True)
    cluster = Cluster(home, "evaluation")
    with cluster.running():
        assert _login(cluster.dsn("cs_reader")) == "cs_reader"
    if cluster.socket_folder.parent != cluster.postgres:
        cluster.socket_folder.rmdir()
