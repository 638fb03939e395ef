"""The peer's environment: made once beside the project's own, from a lock with hashes, and started from
here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench.rows import NotMeasured

ROOT = Path(__file__).parents[1]
VENV = ROOT / ".bench-venv"
LOCK = ROOT / "requirements" / "bench.lock"
SCRIPT = ROOT / "bench" / "peers" / "rival.py"
DATABASE = "peer"


def python(venv: Path = VENV, lock: Path = LOCK) -> Path:
    """Return a peer's interpreter; make its environment where there is none or the lock is newer."""
    stamp, found = venv / ".installed", venv / "bin" / "python"
    if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
        # Standard output is the figures' alone.
        print(f"  making {venv.name} for the peer", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True, stdout=sys.stderr)
        command = [str(found), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
        done = subprocess.run(
            [*command, "--require-hashes", "-r", str(lock)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NotMeasured(f"the peer could not be installed: {done.stderr.strip().splitlines()[-1:]}")
        stamp.touch()
    return found


class Peer:
    """A running peer: ``rate(form, series)`` gives commits per second of ``plain`` or ``context``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def rate(self, form: str, series: int) -> float:
        """Let it create and edit ``series`` times; return commits per second."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(f"{form} {series}\n")
        stdin.flush()
        return float(json.loads(stdout.readline()))


@contextmanager
def peer(lab: Any) -> Iterator[Peer]:
    """Start the peer on the laboratory's own PostgreSQL, in a database beside it."""
    interpreter, dsn = python(), lab.cluster.dsn("cs_superuser")
    with psycopg.connect(**{**dsn, "dbname": "postgres"}, autocommit=True) as admin:
        name = sql.Identifier(DATABASE)
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        admin.execute(sql.SQL("create database {}").format(name))
    environment = {"PATH": os.environ["PATH"], "PGPASSWORD": dsn["password"], "PYTHONUTF8": "1"}
    where = [dsn["host"], str(dsn["port"]), dsn["user"], DATABASE]
    subprocess.run([interpreter, SCRIPT, "prepare", *where], check=True, env=environment, stdout=sys.stderr)
    with subprocess.Popen(
        [interpreter, SCRIPT, "run", *where], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stdin is not None
        if process.stdout.readline().strip() != "ready":
            raise NotMeasured("the peer did not start")
        yield Peer(process)
        process.stdin.close()
        process.wait(30)
