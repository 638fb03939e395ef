"""The finished story, running and science on a private socket, for a scientist's Python to talk to."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from coverslip.bootstrap import wiring
from coverslip.client import Coverslip
from coverslip.settings import Home
from fix_story import Story, copy_home, running, secret_of


@dataclass(frozen=True)
class Served:
    """Where the laboratory answers, and what its records are called."""

    server: str
    n: dict[str, str]

    @contextmanager
    def as_(self, username: str) -> Iterator[Coverslip]:
        """Sign somebody in, and out at the end."""
        with Coverslip(self.server) as cs:
            cs.sign_in(username, secret_of(username))
            yield cs
            cs.sign_out()


@contextmanager
def on_a_socket(app: Any) -> Iterator[str]:
    """Serve an application on a private socket; yields its address."""
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        path = Path(folder) / "api.sock"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield f"unix:{path}"
        finally:
            server.should_exit = True
            thread.join(10)
            listener.close()


@pytest.fixture(scope="session")
def science(story: Story) -> Iterator[Served]:
    """A copy of the finished home that runs; tests add to it and change nothing that is there.

    ``image2`` is left to the notebook, which looks for an image that no set has looked at.
    """
    parent = Path(tempfile.mkdtemp(prefix="s-", dir=story.home.parent))
    parent.chmod(0o711)
    home = copy_home(story.home, parent / "home")
    try:
        with running(home) as client, on_a_socket(client.app) as server:
            yield Served(server, story.numbers)
    finally:
        wiring.cluster_of(Home(home)).stop("immediate")
        shutil.rmtree(parent)


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let somebody sit at the keyboard: who they are, and their password without echo."""

    def sits(username: str, password: str = "") -> None:
        monkeypatch.setattr("builtins.input", lambda _="": username)
        monkeypatch.setattr(
            "coverslip.client.connecting.getpass", lambda _="": password or secret_of(username)
        )

    return sits
