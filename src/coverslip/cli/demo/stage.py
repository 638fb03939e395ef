"""The stage: folders, the running server, and the operator's commands as processes of their own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coverslip.cli import show
from coverslip.client.errors import fault

READY_S = 90.0


@dataclass
class Stage:
    """Where the demonstration lives. ``home`` is the lab; ``handed_over`` what an inspector gets."""

    home: Path
    began: float = field(default_factory=time.monotonic)

    @property
    def work(self) -> Path:
        """Folder beside the home for copies and temporary files."""
        return self.home.with_name(self.home.name + "-work")

    @property
    def handed_over(self) -> Path:
        """Folder with bundle, keys, anchor and verifier, apart from the home."""
        return self.home.with_name(self.home.name + "-handed-over")

    def chapter(self, text: str) -> None:
        """Print a heading with the time so far."""
        show.say(f"\n[{time.monotonic() - self.began:5.1f} s] {text}")

    def tell(self, text: str) -> None:
        """Print one plain sentence."""
        show.say(f"          {text}")


def choose_home(given: Path | None) -> Path:
    """Return a folder that is free: the one given or ``coverslip-demo/lab`` here, numbered when taken."""
    wanted = (given or Path.cwd() / "coverslip-demo" / "lab").resolve()
    for n in range(1, 1000):
        home = wanted if n == 1 else wanted.with_name(f"{wanted.name}-{n}")
        stage = Stage(home)
        if not any(
            p.exists() and (p.is_file() or any(p.iterdir())) for p in (home, stage.work, stage.handed_over)
        ):
            return home
    raise fault(str(wanted), "a free folder", "1000 demonstrations", "Remove old ones.")


def new_password() -> str:
    """Return a password nobody else knows: five random words' worth of letters."""
    return "-".join(secrets.token_hex(3) for _ in range(4))


def command(*arguments: str) -> list[str]:
    """Return the command line of a ``coverslip`` command of this very program."""
    return [sys.executable, "-m", "coverslip.cli", *arguments]


def run(*arguments: str, expect: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    """Run an operator command; raise with what it said when it ends otherwise than expected."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env=_environment()
    )
    if done.returncode not in expect:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise fault(
            f"coverslip {' '.join(arguments[:2])}",
            f"exit {expect}",
            f"{done.returncode}: {' '.join(said[-3:])}",
        )
    return done


def run_json(*arguments: str, expect: tuple[int, ...] = (0,)) -> Any:
    """Run an operator command with ``--json`` and return what it printed."""
    return json.loads(run(*arguments, "--json", expect=expect).stdout)


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
    return {k: os.environ[k] for k in kept if k in os.environ}


@contextmanager
def serving(home: Path, *options: str) -> Iterator[str]:
    """Have the server run in a process of its own; yield what it said when it was ready."""
    server = subprocess.Popen(
        command("serve", "--home", str(home), *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
    )
    try:
        yield _ready(server)
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        for pipe in (server.stdout, server.stderr):
            if pipe is not None:
                pipe.close()


def _ready(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None  # noqa: S101 -- asked for as a pipe above
    waiting = threading.Timer(READY_S, server.kill)
    waiting.start()
    line = server.stdout.readline().strip()
    waiting.cancel()
    if line.startswith("ready: "):
        return line.removeprefix("ready: ")
    server.terminate()
    server.wait(READY_S)
    said = server.stderr.read().strip() if server.stderr else ""
    raise fault(
        "The server",
        "a line 'ready: …'",
        said[-400:] or f"exit {server.returncode}",
        "Read logs in the home.",
    )


def copy_home(source: Path, target: Path) -> Path:
    """Copy a stopped home with owners, modes and times; returns the copy."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)  # noqa: S607
    return target


def remove(path: Path) -> None:
    """Remove a scratch folder, read-only objects included."""
    for folder, _, _ in os.walk(path):
        Path(folder).chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
