"""The witness as a program: its folder, its key, and serving it.

Rules kept here:

* A witness is founded once in its own folder, best on a machine that nobody of the laboratory administers.
* Off the loopback it listens with a certificate only.
"""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coverslip.anchoring.cosigner import Cosigner
from coverslip.anchoring.witness import Witness, know
from coverslip.errors import EnvironmentFault
from coverslip.kernel.clock import utc_now
from coverslip.ledger.failure import NoteError
from coverslip.store.notes import create_seed, read_seed
from coverslip.verifier.keys import NoteKey

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_KEY = "witness.key"
_FACTS = "witness.json"


def witness_init(folder: Path, name: str, logs: Sequence[str]) -> dict[str, Any]:
    """Found a witness that knows logs by their verifier keys; return its own key. Raises ENVIRONMENT."""
    if folder.exists() and any(folder.iterdir()):
        raise _fault(str(folder), "an empty folder", "files")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = create_seed(folder / _KEY)
    try:
        key = Cosigner(name, seed, _now).verifier_key.format()
    except NoteError as error:
        (folder / _KEY).unlink()
        raise _fault("the witness's name", "a name such as witness.example/w1", str(error)) from error
    (folder / _FACTS).write_text(json.dumps({"format": 1, "name": name}) + "\n", "utf-8")
    return {"witness": name, "key": key, "logs": witness_know(folder, logs) if logs else []}


def witness_know(folder: Path, keys: Sequence[str]) -> list[str]:
    """Have a stopped witness accept a log's keys; return the origins. Raises ENVIRONMENT."""
    with _opened(folder):
        try:
            return sorted({know(folder, [key]) for key in keys})
        except NoteError as error:
            raise _fault("the log's key", "a verifier key from its keys.txt", str(error)) from error


def witness_status(folder: Path) -> dict[str, Any]:
    """Return what a stopped witness knows: its key, and size, root and mirror of each log."""
    with _opened(folder) as witness:
        return {"key": witness.vkey(), "logs": witness.standing()}


def witness_serve(
    folder: Path,
    host: str,
    port: int,
    certificate: Path | None = None,
    key: Path | None = None,
    mirror: bool = False,
    say: Callable[[str], None] = lambda text: print(text, flush=True),
) -> None:
    """Answer logs until stopped. Raises ENVIRONMENT for a public address without a certificate."""
    import uvicorn

    from coverslip.anchoring.witness_http import create_app

    if host not in _LOOPBACK and (certificate is None or key is None):
        raise _fault("the listener", "a certificate and its key off the loopback", host)
    if certificate is not None and key is not None:
        _insist_usable(certificate, key)
    with _opened(folder, mirror) as witness, _bound(host, port) as listener:
        say(f"ready: {'https' if certificate else 'http'}://{host}:{listener.getsockname()[1]}")
        config = uvicorn.Config(
            create_app(witness),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_keep_alive=30,
            limit_concurrency=64,
            h11_max_incomplete_event_size=16 * 1024,
            ssl_certfile=None if certificate is None else str(certificate),
            ssl_keyfile=None if key is None else str(key),
        )
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _opened(folder: Path, mirror: bool = False) -> Iterator[Witness]:
    try:
        name = json.loads((folder / _FACTS).read_text("utf-8"))["name"]
    except (OSError, ValueError, KeyError) as error:
        remedy = "Found one with 'coverslip witness init'."
        raise _fault(str(folder), "a witness", type(error).__name__, remedy) from error
    witness = Witness(folder, Cosigner(str(name), read_seed(folder / _KEY), _now), NoteKey, mirror)
    try:
        yield witness
    finally:
        witness.close()


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    with found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, port))
        except OSError as error:
            raise _fault(f"{host}:{port}", "an address to listen on", str(error)) from error
        found.listen(64)
        yield found


def _insist_usable(certificate: Path, key: Path) -> None:
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise _fault(str(certificate), "a certificate and its key (PEM)", str(error)) from error


def _now() -> int:
    return int(dt.datetime.fromisoformat(utc_now()).timestamp())


def _fault(what: str, expected: str, found: str, remedy: str = "") -> EnvironmentFault:
    remedy = remedy or "See 'coverslip witness --help'."
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found, remedy=remedy)
