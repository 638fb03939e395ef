"""Certificates for tests, made on the spot, and processes that serve with them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(
    folder: Path, *names: str, days: int = 30, begins_in: int = -1, passphrase: bytes = b""
) -> tuple[Path, Path]:
    """Write a certificate that signs itself, and its key (mode 0600); return both paths."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    begin = dt.datetime.now(dt.UTC) + dt.timedelta(days=begins_in)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    if names:
        made = made.add_extension(
            x509.SubjectAlternativeName([_general(one) for one in names]), critical=False
        )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    )
    return cert, private


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


_SMALL = """
import asyncio
import sys
from pathlib import Path
from coverslip.bootstrap import fronting, wiring
from coverslip.bootstrap.connections import Patience
from coverslip.bootstrap.listening import listening

head_s = float(sys.argv[2])
patience = Patience(head_s, idle_s=1.0, known_idle_s=2.0, grace_s=1.5, linger_s=1.0, unread_s=1.5, look_s=0.1)

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
        return
    if scope["path"] == "/later":
        await asyncio.sleep(4)
    more = scope["path"] != "/unread"
    while more:
        more = (await receive()).get("more_body", False)
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(64):
            await send({"type": "http.response.body", "body": b"x" * 1024**2, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

given = sys.argv[3:]
place = listening(given[0], int(given[1]), *([Path(given[2]), Path(given[3])] if given[2:] else []))
path = Path(sys.argv[1])
fronting.run(application, place, [wiring.bind_unix(path)], [wiring.bind(place.host, place.port)], patience)
"""


@contextmanager
def small_server(
    folder: Path, *, secure: Sequence[Path] = (), headers_s: float = 20.0
) -> Iterator[tuple[int, Path]]:
    """Serve a small application behind the front; lend its port and its private socket."""
    port, path = free_port(), folder / "api.sock"
    command = [sys.executable, "-c", _SMALL, str(path), str(headers_s), "127.0.0.1", str(port)]
    with subprocess.Popen([*command, *map(str, secure)]) as running:
        try:
            until = time.monotonic() + 20
            while time.monotonic() < until:
                assert running.poll() is None
                with socket.socket() as asked:
                    if path.exists() and asked.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield port, path
        finally:
            running.terminate()
            assert running.wait(15) in (0, -15)
