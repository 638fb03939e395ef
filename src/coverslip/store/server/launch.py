"""Starting a postmaster and waiting until it truly answers.

Rules kept here:

* The child gets its own session (a terminal's Ctrl-C is the supervisor's business), no inherited
  files but its log, a minimal environment and no core dumps. It shuts down when its supervisor dies.
* Ready is a connection with our secret to a server that names our data directory.
* A failure shows the last lines the server wrote.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

from coverslip.errors import EnvironmentFault
from coverslip.store.server.osuser import RunAs
from coverslip.store.server.parent import die_with_parent

LAST_LINES = 20
_STARTING_UP = "57P03"


def spawn(
    way: RunAs, argv: list[str], environment: dict[str, str], log: Path, owner: tuple[int, int]
) -> subprocess.Popen[bytes]:
    """Start ``argv``, its output going to a new ``log`` of ``owner``; return at once."""
    log.unlink(missing_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        if (os.fstat(handle).st_uid, os.fstat(handle).st_gid) != owner:
            os.fchown(handle, *owner)
        child = subprocess.Popen(
            way.command(_without_core_dumps(argv)),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            cwd="/",
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGINT),
            **way.options(),
        )
    except OSError as error:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=argv[0],
            expected="a program that can be started",
            found=str(error),
            remedy="Reinstall PostgreSQL, or correct the permissions of its programs.",
        ) from error
    finally:
        os.close(handle)
    return child


def wait_ready(
    child: subprocess.Popen[bytes], dsn: dict[str, Any], data: Path, silence: float, logs: list[Path]
) -> None:
    """Return when the server of ``data`` answers.

    Raises EnvironmentFault when it ends, another server answers, or nothing is heard for
    ``silence`` seconds; a server that says it is recovering is heard.
    """
    end = time.monotonic() + silence
    while True:
        if child.poll() is not None:
            raise _failed(data, f"it ended with {child.returncode}", logs)
        try:
            with psycopg.connect(**dsn, autocommit=True) as connection:
                row = connection.execute("show data_directory").fetchone()
        except psycopg.OperationalError as error:
            if _is_starting(error):
                end = time.monotonic() + silence
            elif time.monotonic() > end:
                said = " ".join(str(error).split())
                raise _failed(data, f"no answer in {silence:g} s ({said})", logs) from error
            time.sleep(0.03)
            continue
        if row is None or not os.path.samefile(str(row[0]), data):
            raise _failed(data, f"a server of {row[0] if row else 'nothing'} answered", logs)
        return


def answers(dsn: dict[str, Any]) -> bool:
    """Whether a server accepts the connection ``dsn`` now."""
    try:
        psycopg.connect(**dsn).close()
    except psycopg.OperationalError:
        return False
    return True


def last_lines(logs: list[Path]) -> str:
    """Return the last lines of each log that has any."""
    parts: list[str] = []
    for log in logs:
        try:
            lines = log.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            continue
        parts += lines[-LAST_LINES:]
    return "\n".join(parts)


def _is_starting(error: psycopg.OperationalError) -> bool:
    # libpq gives no code for a refused connection, only the words.
    return error.sqlstate == _STARTING_UP or "the database system is" in str(error)


def _without_core_dumps(argv: list[str]) -> list[str]:
    # The limit is set by the program's own process: root without CAP_SYS_RESOURCE may not set it for
    # another account's. Where there is no prlimit (BSD), no core dump is the system's default.
    return ["prlimit", "--core=0:0", "--", *argv] if shutil.which("prlimit") else argv


def _failed(data: Path, found: str, logs: list[Path]) -> EnvironmentFault:
    said = last_lines(logs)
    return EnvironmentFault(
        "ENVIRONMENT",
        what=f"database server of {data}",
        expected="an answer",
        found=f"{found}\n{said}" if said else found,
        remedy="Correct what the server's last lines name, then start again.",
    )
