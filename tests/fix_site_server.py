"""A server such as a site runs for itself: with a superuser of its own, on a socket and the loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from coverslip.store.server import launch, osuser
from fix_majors import binaries_of

SECRET = "the site's own secret"
_HBA = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass
class Site:
    """One running server of the site. ``admin`` is its superuser's address without a password."""

    folder: Path
    major: int
    port: int
    child: subprocess.Popen[bytes]

    @property
    def passfile(self) -> Path:
        return self.folder / "pgpass"

    def admin(self, database: str = "coverslip", host: str = "") -> str:
        return f"postgresql://dba@/{database}?host={host or self.folder / 'run'}&port={self.port}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.admin(database), password=SECRET, autocommit=True)

    def trust(self, line: str) -> None:
        """Put a line before the others of pg_hba.conf, as a careless administrator might."""
        path = self.folder / "data" / "pg_hba.conf"
        path.write_text(line + "\n" + path.read_text("ascii"), "ascii")
        with self.connect() as conn:
            conn.execute("select pg_reload_conf()")


def start_site(folder: Path, major: int) -> Site:
    """Make and start a server of a major version with an empty database ``coverslip``."""
    programs = binaries_of(major)
    way = osuser.choose(folder, programs.program("postgres"), None)
    for name in ("run", "data"):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, *way.file_owner)
    secret = folder / "data.secret"
    secret.write_text(SECRET + "\n")
    os.chown(secret, *way.file_owner)
    environment = osuser.child_environment({})
    made = subprocess.run(
        way.command([
            str(programs.program("initdb")), "-D", str(folder / "data"), "-U", "dba", "--pwfile", str(secret),
            "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-k", "--no-sync", "--no-instructions",
        ]), capture_output=True, text=True, check=False, env=environment, cwd="/", **way.options(),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (folder / "data" / "pg_hba.conf").write_text(_HBA)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [
        str(programs.program("postgres")), "-D", str(folder / "data"), "-k", str(folder / "run"),
        "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=32MB",
    ]  # fmt: skip
    child = launch.spawn(way, argv, environment, folder / "out", (os.geteuid(), os.getegid()))
    site = Site(folder, major, port, child)
    dsn = {"host": str(folder / "run"), "port": port, "user": "dba", "password": SECRET, "dbname": "postgres"}
    launch.wait_ready(child, dsn, folder / "data", 60, [folder / "out"])
    site.passfile.write_text(f"*:*:*:dba:{SECRET}\n")
    site.passfile.chmod(0o600)
    with site.connect() as conn:
        conn.execute("create database coverslip template template0 encoding 'UTF8' locale 'C'")
    return site


def stop_site(site: Site) -> None:
    """Stop the server at once."""
    if site.child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(site.child.pid, signal.SIGQUIT)
        site.child.wait(30)


@pytest.fixture
def site_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server of the site, of the major version given as parameter, else 15; PGPASSFILE names its secret."""
    folder = Path(tempfile.mkdtemp(prefix="css-"))
    folder.chmod(0o711)
    site = start_site(folder, getattr(request, "param", 15))
    monkeypatch.setenv("PGPASSFILE", str(site.passfile))
    yield site
    stop_site(site)
    shutil.rmtree(folder)
