"""A timestamp authority on this machine: an HTTP server that answers with ``openssl ts -reply``.

Its root, its certificates and its configuration are made once per process by openssl. Every deed of a bad
authority (another imprint, a stale answer, garbage, silence) is a mode of the same server.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

_CONFIG = """
[tsa]
default_tsa = tsa1
[tsa1]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
_OTHER = re.compile(rb"\x04\x20.{32}", re.DOTALL)
_SHA256 = bytes.fromhex("608648016503040201")
_SHA512 = bytes.fromhex("608648016503040203")
_EXTENSIONS = """
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[stamp]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""


def openssl(*given: object, folder: Path) -> bytes:
    """Run openssl in a folder and return what it wrote; a machine without it fails loudly."""
    program = shutil.which("openssl")
    assert program is not None, "these tests need the program openssl: install the package 'openssl'"
    done = subprocess.run([program, *map(str, given)], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Maker:
    """One authority: ``ca.pem`` its root, ``stamp`` a good certificate, ``ended`` one that has ended."""

    def __init__(self, folder: Path, curve: bool = False) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))
        (folder / "ext.cnf").write_text(_EXTENSIONS)
        (folder / "serial").write_text("01\n")
        self._kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if curve else ["rsa:2048"]
        self._run(
            "req",
            "-x509",
            "-newkey",
            *self._kind,
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "3650",
            "-subj",
            f"/CN=Root of {folder.name}",
            "-config",
            self._request(),
            "-extensions",
            "ca",
        )
        self.certificate("stamp", "stamp")
        self.certificate("ended", "stamp", "20200101000000Z", "20210101000000Z")

    def _run(self, *given: object) -> bytes:
        return openssl(*given, folder=self.folder)

    def _request(self) -> Path:
        path = self.folder / "req.cnf"
        path.write_text("[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = x\n" + _EXTENSIONS)
        return path

    def certificate(self, name: str, extensions: str, start: str = "", end: str = "") -> None:
        """Make a key and a certificate of the root, valid now or between two dates of the past."""
        self._run(
            "req",
            "-newkey",
            *self._kind,
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name} of {self.folder.name}",
            "-config",
            self._request(),
        )
        ca = self.folder / "issue.cnf"
        ca.write_text(
            f"[ca]\ndefault_ca = c\n[c]\ndatabase = {self.folder}/db\nnew_certs_dir = {self.folder}\n"
            "default_md = sha256\npolicy = p\nrand_serial = yes\nunique_subject = no\n[p]\nCN = supplied\n"
            + _EXTENSIONS.replace("[ca]", "[root]")
        )
        (self.folder / "db").touch()
        dates = ["-startdate", start, "-enddate", end] if start else ["-days", "3000"]
        self._run(
            "ca",
            "-batch",
            "-notext",
            "-config",
            ca,
            "-in",
            f"{name}.csr",
            "-cert",
            "ca.pem",
            "-keyfile",
            "ca.key",
            "-out",
            f"{name}.pem",
            "-extensions",
            extensions,
            *dates,
        )

    def reply(self, query: bytes, certificate: str = "stamp", *more: object) -> bytes:
        """Return the authority's signed answer to a query (DER)."""
        (self.folder / "q.tsq").write_bytes(query)
        self._run(
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-queryfile",
            "q.tsq",
            "-signer",
            f"{certificate}.pem",
            "-inkey",
            f"{certificate}.key",
            *more,
            "-out",
            "r.tsr",
        )
        return (self.folder / "r.tsr").read_bytes()

    def query(self, data: bytes, *more: str) -> bytes:
        """Return a query about some data made by openssl itself."""
        (self.folder / "data").write_bytes(data)
        self._run("ts", "-query", "-data", "data", "-sha256", "-cert", *more, "-out", "o.tsq")
        return (self.folder / "o.tsq").read_bytes()

    @property
    def root(self) -> Path:
        return self.folder / "ca.pem"


class Authority:
    """The HTTP side. ``mode`` says how it behaves; ``asked`` counts requests."""

    def __init__(self, maker: Maker) -> None:
        self.maker, self.mode, self.asked = maker, "good", 0
        self.stale: bytes | None = None
        authority, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    authority.asked += 1
                    status, kind, data = authority._answer(body)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/tsr"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, query: bytes) -> tuple[int, str, bytes]:
        reply = "application/timestamp-reply"
        if self.mode == "silent":
            time.sleep(3)
        if self.mode in ("garbage", "large", "page", "broken"):
            data = {"garbage": b"\x30\x03\x02\x01\x00", "large": b"\x00" * 200_000}.get(self.mode, b"<html>")
            status, kind = {"page": (200, "text/html"), "broken": (500, "text/plain")}.get(
                self.mode, (200, reply)
            )
            return status, kind, data
        if self.mode == "other imprint":
            return (
                200,
                reply,
                self.maker.reply(_OTHER.sub(b"\x04\x20" + b"\x07" * 32, query, count=1)),
            )
        if self.mode == "stale" and self.stale is not None:
            return 200, reply, self.stale
        if self.mode == "refused":
            return 200, reply, self.maker.reply(query.replace(_SHA256, _SHA512))
        self.stale = self.maker.reply(query, "ended" if self.mode == "ended" else "stamp")
        return 200, reply, self.stale


@pytest.fixture(scope="session")
def makers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Maker]:
    """Two authorities with RSA keys and one with P-256."""
    folder = tmp_path_factory.mktemp("authorities")
    return {
        "good": Maker(folder / "good"),
        "other": Maker(folder / "other"),
        "curve": Maker(folder / "curve", curve=True),
    }


@pytest.fixture
def authority(makers: dict[str, Maker]) -> Iterator[Authority]:
    """A running timestamp authority; its root is ``authority.maker.root``."""
    made = Authority(makers["good"])
    yield made
    made.close()
