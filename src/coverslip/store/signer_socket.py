"""The signer as a process of its own: JSON lines over a Unix socket.

Rules kept here: the socket is for its owner only (0600 in a folder of 0700); a line is at most 64 KiB,
a client silent for 30 s is let go; an error answers with its code, never with a stack trace.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coverslip.errors import CoverslipError, EnvironmentFault, EvidenceBroken
from coverslip.ledger.failure import LedgerError
from coverslip.store.signer import CheckpointSigner, Signed

MAX_LINE = 65536
SILENCE = 30.0


class SignerServer:
    """Serves one signer. ``start`` returns once the socket answers; ``stop`` removes it."""

    def __init__(self, signer: CheckpointSigner, path: Path) -> None:
        self._path = path
        self._server = _Server(str(path), _Handler, bind_and_activate=False)
        self._server.signer = signer
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def start(self) -> SignerServer:
        """Listen. Raises ENVIRONMENT when another server has the socket."""
        if self._path.exists():
            if _answers(self._path):
                self._server.server_close()
                raise EnvironmentFault(
                    "ENVIRONMENT", what=str(self._path), expected="no signer", found="one running"
                )
            self._path.unlink()
        before = os.umask(0o177)
        try:
            self._server.server_bind()
            self._server.server_activate()
        finally:
            os.umask(before)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and remove the socket."""
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class SignerClient:
    """A ``CheckpointSigner`` at the other end of the socket. One connection per question."""

    def __init__(self, path: Path, timeout: float = 10.0) -> None:
        self._path = path
        self._timeout = timeout

    def vkey(self) -> str:
        """Return the verifier key text. Raises UNAVAILABLE."""
        return str(self._ask({"op": "vkey"})["vkey"])

    def last(self) -> Signed | None:
        """Return the newest tree signed. Raises UNAVAILABLE."""
        answer = self._ask({"op": "last"})
        return _signed(answer) if "size" in answer else None

    def sign(self, size: int, root: bytes, consistency: Sequence[bytes]) -> Signed:
        """Have a tree signed. Raises RECOVERY_REQUIRED, UNAVAILABLE."""
        request = {
            "op": "sign",
            "size": size,
            "root": root.hex(),
            "proof": [one.hex() for one in consistency],
        }
        return _signed(self._ask(request))

    def receipt(self, entry: str, leaf_hash: bytes, at: str) -> bytes:
        """Have a pending receipt signed. Raises UNAVAILABLE."""
        answer = self._ask({"op": "receipt", "entry": entry, "leaf_hash": leaf_hash.hex(), "at": at})
        return str(answer["note"]).encode()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(self._timeout)
                line.connect(str(self._path))
                line.sendall(json.dumps(request).encode() + b"\n")
                with line.makefile("rb") as answers:
                    data = answers.readline(MAX_LINE)
            answer: dict[str, Any] = json.loads(data)
        except (OSError, ValueError) as error:
            raise EnvironmentFault("UNAVAILABLE", what="The signer") from error
        if answer.get("ok") is True:
            return answer
        if answer.get("code") == "RECOVERY_REQUIRED":
            raise EvidenceBroken(
                "RECOVERY_REQUIRED",
                message=str(answer["message"]),
                signed=answer.get("signed"),
                found=answer.get("found"),
            )
        raise EnvironmentFault("UNAVAILABLE", what="The signer", why=str(answer.get("message", "")))


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    signer: CheckpointSigner


class _Handler(socketserver.StreamRequestHandler):
    timeout = SILENCE
    server: _Server

    def handle(self) -> None:
        """Answer line after line until the client goes, is silent or sends too much."""
        while True:
            try:
                data = self.rfile.readline(MAX_LINE + 1)
            except OSError:
                return
            if not data or len(data) > MAX_LINE:
                return
            self.wfile.write(json.dumps(self._answer(data)).encode() + b"\n")

    def _answer(self, data: bytes) -> dict[str, Any]:
        try:
            return {"ok": True, **_perform(self.server.signer, json.loads(data))}
        except CoverslipError as error:
            return {
                "ok": False, "code": error.code, "message": error.message,
                "signed": error.values.get("signed"), "found": error.values.get("found"),
            }  # fmt: skip
        except (LedgerError, ValueError, KeyError, TypeError) as error:
            return {"ok": False, "code": "MALFORMED", "message": f"{type(error).__name__}: {error}"}


def _perform(signer: CheckpointSigner, request: dict[str, Any]) -> dict[str, Any]:
    op = request["op"]
    if op == "vkey":
        return {"vkey": signer.vkey()}
    if op == "last":
        last = signer.last()
        return {} if last is None else _shown(last)
    if op == "sign":
        proof = [bytes.fromhex(one) for one in request["proof"]]
        return _shown(signer.sign(int(request["size"]), bytes.fromhex(request["root"]), proof))
    if op == "receipt":
        made = signer.receipt(str(request["entry"]), bytes.fromhex(request["leaf_hash"]), str(request["at"]))
        return {"note": made.decode()}
    raise ValueError("unknown operation")


def _shown(signed: Signed) -> dict[str, Any]:
    return {"size": signed.size, "root": signed.root.hex(), "note": signed.note.decode()}


def _signed(answer: dict[str, Any]) -> Signed:
    return Signed(int(answer["size"]), bytes.fromhex(answer["root"]), str(answer["note"]).encode())


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(1.0)
        try:
            line.connect(str(path))
        except OSError:
            return False
        return True
