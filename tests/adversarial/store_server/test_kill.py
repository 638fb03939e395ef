"""Whatever is killed with -9, the next start works, loses nothing committed, and leaves one server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from coverslip.errors import EnvironmentFault
from coverslip.store.server import Cluster, process

SUPERVISE = """
import sys, time
from pathlib import Path
from coverslip.store.server import Cluster
cluster = Cluster(Path(sys.argv[1]), "evaluation")
cluster.start()
print("ready", flush=True)
time.sleep(600)
"""


_LEAVING_IT_BEHIND = "from coverslip.store.server import parent\nparent._PRCTL = None\n"
"""A system that cannot end a server with its supervisor."""


@contextmanager
def supervisor(home: Path, *, leaves: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Another process that started the server and sits there; ``leaves``: the server outlives it."""
    script = (_LEAVING_IT_BEHIND if leaves else "") + SUPERVISE
    child = subprocess.Popen([sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def _write(cluster: Cluster, value: int) -> None:
    with psycopg.connect(**cluster.dsn("cs_superuser"), autocommit=True) as admin:
        admin.execute("create table if not exists kept (value int)")
        admin.execute("insert into kept values (%s)", [value])


def _read(cluster: Cluster) -> list[tuple[int]]:
    with psycopg.connect(**cluster.dsn("cs_superuser")) as admin:
        return admin.execute("select value from kept order by 1").fetchall()


def _kill_postmaster(cluster: Cluster) -> int:
    postmaster = cluster.status().postmaster
    assert postmaster is not None
    os.kill(postmaster, signal.SIGKILL)
    return postmaster


def test_a_killed_postmaster_is_replaced_by_the_same_supervisor(own_cluster: Cluster) -> None:
    with own_cluster.running():
        _write(own_cluster, 1)
        killed = _kill_postmaster(own_cluster)
        own_cluster.start()
        assert own_cluster.status().postmaster not in (None, killed)
        assert _read(own_cluster) == [(1,)]


def test_a_supervisor_keeps_its_server_and_leaves_a_living_one_alone(own_cluster: Cluster) -> None:
    with own_cluster.running():
        assert not own_cluster.keep()
        _write(own_cluster, 1)
        _kill_postmaster(own_cluster)
        deadline = time.monotonic() + 10
        while not own_cluster.keep():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert _read(own_cluster) == [(1,)] and not own_cluster.keep()


def test_a_killed_postmaster_with_its_pid_file_and_socket_is_replaced_by_another_supervisor(
    own_cluster: Cluster,
) -> None:
    with supervisor(own_cluster.home) as other:
        _write(own_cluster, 1)
        _kill_postmaster(own_cluster)
        other.kill()
        other.wait()
    assert (own_cluster.data / "postmaster.pid").exists()
    assert list(own_cluster.socket_folder.iterdir())
    with own_cluster.running():
        assert _read(own_cluster) == [(1,)]


def test_a_server_ends_with_its_killed_supervisor_and_keeps_what_was_committed(own_cluster: Cluster) -> None:
    with supervisor(own_cluster.home) as other:
        _write(own_cluster, 1)
        orphan = own_cluster.status().postmaster
        assert orphan is not None
        other.kill()
        other.wait()
        assert process.wait_gone((orphan,), 20)
    with own_cluster.running():
        assert _read(own_cluster) == [(1,)]


def test_a_server_that_outlived_its_supervisor_is_ended_and_replaced(own_cluster: Cluster) -> None:
    with supervisor(own_cluster.home, leaves=True) as other:
        _write(own_cluster, 1)
        orphan = own_cluster.status().postmaster
        other.kill()
        other.wait()
        assert orphan is not None
        assert process.alive(orphan)
    with own_cluster.running():
        status = own_cluster.status()
        assert status.postmaster != orphan
        assert status.supervised
        assert not process.alive(orphan)
        assert _read(own_cluster) == [(1,)]


def test_an_abandoned_server_can_be_stopped(own_cluster: Cluster) -> None:
    with supervisor(own_cluster.home, leaves=True) as other:
        other.kill()
        other.wait()
    assert own_cluster.status().state == "running"
    own_cluster.stop()
    assert own_cluster.status().state == "stopped"


def test_a_backend_that_outlives_its_postmaster_does_not_run_beside_the_new_one(own_cluster: Cluster) -> None:
    with own_cluster.running():
        busy = psycopg.connect(**own_cluster.dsn("cs_superuser"), autocommit=True)
        backend = busy.info.backend_pid
        # The server reads nothing while it computes, so it does not notice that its postmaster died.
        busy.execute("set statement_timeout = 0")
        busy.pgconn.send_query(b"select count(*) from generate_series(1, 20000000000)")
        time.sleep(0.2)
        _kill_postmaster(own_cluster)
        own_cluster.start()
        busy.close()
        assert not process.alive(backend)


def test_a_second_supervisor_is_refused_and_told_who_has_it(own_cluster: Cluster) -> None:
    with supervisor(own_cluster.home) as other:
        for act in (own_cluster.start, own_cluster.stop):
            with pytest.raises(EnvironmentFault, match=f"process {other.pid} holds the lock"):
                act()
        assert own_cluster.status().state == "running"
        assert not own_cluster.status().supervised


def test_a_second_object_in_one_process_is_refused(own_cluster: Cluster) -> None:
    with own_cluster.running():
        second = Cluster(own_cluster.home, "evaluation")
        with pytest.raises(EnvironmentFault, match=f"process {os.getpid()} holds the lock"):
            second.start()
        assert _login_works(own_cluster)


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = process.HomeLock(tmp_path / "lock")
    lock.acquire()
    reading, writing = os.pipe()
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tell, b"x")
        os.read(reading, 1)
        os._exit(0)
    os.read(ready, 1)
    with pytest.raises(EnvironmentFault, match="holds the lock"):
        process.HomeLock(tmp_path / "lock").acquire()
    lock.release()
    other = process.HomeLock(tmp_path / "lock")
    other.acquire()
    os.write(writing, b"x")
    os.waitpid(child, 0)
    other.release()
    for handle in (reading, writing, ready, tell):
        os.close(handle)


def test_a_server_that_coverslip_did_not_start_is_refused_and_left_alone(own_cluster: Cluster) -> None:
    with own_cluster.running():
        pass
    programs = own_cluster.binaries()
    from coverslip.store.server import osuser

    way = osuser.choose(own_cluster.home, programs.program("postgres"), None)
    argv = way.command([str(programs.program("postgres")), "-D", str(own_cluster.data)])
    foreign = subprocess.Popen(argv, stderr=subprocess.DEVNULL, cwd="/", **way.options())
    try:
        end = time.monotonic() + 10
        while own_cluster.status().state != "running":
            assert time.monotonic() < end
            time.sleep(0.05)
        for act in (own_cluster.start, own_cluster.stop):
            with pytest.raises(EnvironmentFault, match=f"process {foreign.pid}, which Coverslip did not"):
                act()
        assert foreign.poll() is None
    finally:
        foreign.send_signal(signal.SIGINT)
        foreign.wait(30)


def test_a_pid_file_naming_a_living_stranger_does_not_stop_the_start(own_cluster: Cluster) -> None:
    (own_cluster.data / "postmaster.pid").write_text(f"{os.getppid()}\n{own_cluster.data}\n1\n5432\n")
    (own_cluster.socket_folder / ".s.PGSQL.5432.lock").write_text(f"{os.getppid()}\n")
    with own_cluster.running():
        assert _login_works(own_cluster)


def test_a_creation_that_was_cut_off_can_be_repeated(own_cluster: Cluster) -> None:
    own_cluster.data.rename(own_cluster.data.with_name("data.draft"))
    (own_cluster.data.with_name("data.draft") / "PG_VERSION").unlink()
    (own_cluster.data.with_name(".initial")).mkdir()
    own_cluster.create()
    with own_cluster.running():
        own_cluster.create_roles()
        assert _login_works(own_cluster)
    assert {path.name for path in own_cluster.postgres.iterdir()} == {"data", "log", "run", "run-as.json"}


def _login_works(cluster: Cluster) -> bool:
    with psycopg.connect(**cluster.dsn("cs_reader")) as connection:
        return connection.execute("select true").fetchone() == (True,)
