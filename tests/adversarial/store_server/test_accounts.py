"""The server never runs as root: as an ordinary account, and as root in every way root has.

These tests need to be root to try root's ways; as another account they try that one.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from coverslip.errors import EnvironmentFault
from coverslip.store.server import Cluster, osuser

ROOT = os.geteuid() == 0

# Everything is imported before root is given up: the interpreter may lie where only root can read.
ORDINARY = """
import encodings.ascii, encodings.idna, encodings.utf_8, json, os, pwd, sys
from pathlib import Path
import psycopg
from coverslip.errors import EnvironmentFault
from coverslip.store.server import Cluster, find_binaries
uid, gid = int(sys.argv[2]), int(sys.argv[3])
if os.geteuid() == 0:
    os.setgroups([]); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)
os.chdir("/")
assert os.geteuid() == uid != 0
cluster = Cluster(Path(sys.argv[1]), "evaluation")
answer = {}
try:
    if cluster.major() is None:
        cluster.create()
    with cluster.running():
        cluster.create_roles()
        with psycopg.connect(**cluster.dsn("cs_writer")) as connection:
            answer["user"] = connection.execute("select current_user").fetchone()[0]
        answer["server"] = os.stat(f"/proc/{cluster.status().postmaster}").st_uid
except EnvironmentFault as fault:
    answer = {"code": fault.code, "message": fault.message, "remedy": fault.remedy}
print(json.dumps(answer))
"""


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody") if ROOT else pwd.getpwuid(os.geteuid())


def _ordinary(home: Path) -> dict[str, object]:
    who = _nobody()
    argv = [sys.executable, "-c", ORDINARY, str(home), str(who.pw_uid), str(who.pw_gid)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@pytest.fixture
def root_only() -> None:
    assert ROOT, "run these tests as root: they try the ways in which root gives the server away"


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cs-"))
    os.chown(folder, _nobody().pw_uid, _nobody().pw_gid)
    yield folder
    shutil.rmtree(folder)


def _server_uid(cluster: Cluster) -> int:
    return (Path("/proc") / str(cluster.status().postmaster)).stat().st_uid


def _reads(cluster: Cluster) -> bool:
    with psycopg.connect(**cluster.dsn("cs_reader")) as connection:
        return connection.execute("select current_user").fetchone() == ("cs_reader",)


def test_an_ordinary_account_runs_the_server_as_itself(nobodys_folder: Path) -> None:
    answer = _ordinary(nobodys_folder / "home")
    assert answer == {"user": "cs_writer", "server": _nobody().pw_uid}
    record = json.loads((nobodys_folder / "home" / "postgres" / "run-as.json").read_text())
    assert record["way"] == "self"
    secret = (nobodys_folder / "home" / "secrets" / "cs_writer").stat()
    assert (secret.st_uid, secret.st_mode & 0o777) == (_nobody().pw_uid, 0o600)


def test_an_ordinary_account_is_refused_the_home_of_another(root_only: None, own_cluster: Cluster) -> None:
    own_cluster.home.chmod(0o755)
    answer = _ordinary(own_cluster.home)
    assert answer.get("code") == "ENVIRONMENT", answer


def test_root_gives_the_server_of_an_ordinary_accounts_home_to_that_account(
    root_only: None, nobodys_folder: Path
) -> None:
    home = nobodys_folder / "home"
    _ordinary(home)
    cluster = Cluster(home, "evaluation")
    (home / "run" / "postgres.lock").unlink()
    with cluster.running():
        assert _server_uid(cluster) == _nobody().pw_uid
        assert _reads(cluster)
    foreign = [p for p in home.rglob("*") if p.lstat().st_uid != _nobody().pw_uid]
    assert foreign == []
    assert _ordinary(home)["user"] == "cs_writer"


@pytest.mark.parametrize("origin", ["system", "wheel"])
def test_root_runs_it_in_a_namespace_without_capabilities(
    root_only: None, new_home: Callable[[], Path], origin: str
) -> None:
    cluster = Cluster(new_home(), "evaluation", run_as="namespace", prefer=origin)  # type: ignore[arg-type]
    cluster.create()
    with cluster.running():
        cluster.create_roles()
        assert _reads(cluster)
        about = Path("/proc") / str(cluster.status().postmaster) / "status"
        capabilities = next(x for x in about.read_text().splitlines() if x.startswith("CapEff"))
        assert int(capabilities.split()[1], 16) == 0
        with psycopg.connect(**cluster.dsn("cs_superuser")) as admin:
            shown = admin.execute("select (pg_stat_file('PG_VERSION')).size").fetchone()
            assert shown is not None
    assert cluster.data.stat().st_uid == 0


def test_root_drops_to_an_account_that_owns_the_data_but_not_the_record(
    root_only: None, new_home: Callable[[], Path]
) -> None:
    cluster = Cluster(new_home(), "evaluation", run_as="user")
    cluster.create()
    with cluster.running():
        cluster.create_roles()
        assert _reads(cluster)
        record = json.loads((cluster.postgres / "run-as.json").read_text())
        assert record["way"] == "user"
        assert _server_uid(cluster) == record["uid"] == cluster.data.stat().st_uid != 0
    for path in (cluster.home, cluster.postgres, cluster.secrets, cluster.postgres / "run-as.json"):
        assert path.stat().st_uid == 0
    assert cluster.home.stat().st_mode & 0o007 == 0


def test_a_home_moves_between_roots_ways(root_only: None, own_cluster: Cluster) -> None:
    for way in ("user", "namespace", "user"):
        cluster = Cluster(own_cluster.home, "evaluation", run_as=way)  # type: ignore[arg-type]
        with cluster.running():
            assert _reads(cluster)
            assert cluster.status().run_as == way


def test_the_recorded_way_is_kept(root_only: None, own_cluster: Cluster) -> None:
    with Cluster(own_cluster.home, "evaluation", run_as="user").running():
        pass
    with own_cluster.running():
        assert own_cluster.status().run_as == "user"


def test_a_parent_that_cannot_be_entered_is_named(root_only: None, new_home: Callable[[], Path]) -> None:
    home = new_home()
    home.parent.chmod(0o700)
    with pytest.raises(EnvironmentFault) as caught:
        Cluster(home, "evaluation", run_as="user").create()
    assert f"may not enter {home.parent} (mode drwx------)" in caught.value.message
    assert "chmod o+x" in caught.value.remedy


def test_forbidden_namespaces_fall_through_to_an_account_and_are_named_when_nothing_works(
    root_only: None, new_home: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    real = osuser.child_environment
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    monkeypatch.setattr(osuser, "child_environment", lambda extra: real(extra) | path)
    home = new_home()
    home.mkdir(mode=0o700)
    program = Cluster(home, "evaluation").binaries().program("postgres")
    assert osuser.choose(home, program, None).way == "user"
    home.parent.chmod(0o700)
    with pytest.raises(EnvironmentFault) as caught:
        osuser.choose(home, program, None)
    assert "namespace" in caught.value.message
    assert "Operation not permitted" in caught.value.message
    assert "may not enter" in caught.value.message


def test_a_folder_planted_where_the_socket_of_a_long_home_goes_is_refused(
    root_only: None, template_home: Path, new_home: Callable[[], Path]
) -> None:
    home = new_home().with_name("y" * 120)
    subprocess.run(["cp", "-a", str(template_home), str(home)], check=True)
    cluster = Cluster(home, "evaluation", run_as="namespace")
    cluster.socket_folder.mkdir(mode=0o700)
    os.chown(cluster.socket_folder, _nobody().pw_uid, _nobody().pw_gid)
    try:
        for act in (cluster.start, lambda: cluster.dsn("cs_reader")):
            with pytest.raises(EnvironmentFault, match="socket folder"):
                act()
    finally:
        cluster.socket_folder.rmdir()
