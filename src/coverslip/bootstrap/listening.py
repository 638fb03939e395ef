"""Where browsers and instruments reach this server: address, certificate, and the names it answers to.

Rules kept here:

* Plain HTTP is spoken on the loopback only; any other address needs a certificate (21 CFR 11.30, DESIGN 5).
* A private key that somebody else may read, that does not fit its certificate, or a certificate whose days
  have not begun or are over, is refused before anything is served.
* TLS 1.2 is the oldest that is spoken.
* The names answered to are those of the certificate and those an operator names; on the loopback also its
  own. A name with a star is no name: the operator says which hosts are meant.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from coverslip.errors import EnvironmentFault
from coverslip.kernel.clock import wall_s

LOOPBACK = ("127.0.0.1", "::1", "localhost")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


@dataclass(frozen=True, slots=True)
class Listening:
    """A listener beside the private socket; without ``port`` there is none.

    ``hosts``: names in lower case, without port, IPv6 in brackets, that requests may be addressed to.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()
    hosts: tuple[str, ...] = LOOPBACK_NAMES

    @property
    def behind_proxy(self) -> bool:
        """Whether a proxy on this machine ends TLS: a loopback listener that has names of its own."""
        return self.certificate is None and bool(self.names)

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS, ended here or by a proxy before this."""
        return self.certificate is not None or self.behind_proxy

    @property
    def origins(self) -> tuple[str, ...]:
        """What browsers call this server, best known name first: scheme, name, and port unless usual.

        Behind a proxy the names are reached at its usual port; the loopback names still at this one.
        """
        if self.port is None:
            return ()
        if self.behind_proxy:
            own = tuple(f"http://{name}:{self.port}" for name in LOOPBACK_NAMES)
            return (*(f"https://{name}" for name in self.names), *own)
        scheme, usual = ("https", 443) if self.secure else ("http", 80)
        port = "" if self.port == usual else f":{self.port}"
        return tuple(f"{scheme}://{name}{port}" for name in self.hosts)

    def arguments(self) -> list[str]:
        """Return the arguments by which a child process is told."""
        if self.port is None:
            return []
        said = ["--host", self.host, "--port", str(self.port)]
        if self.certificate is not None and self.key is not None:
            said += ["--tls-cert", str(self.certificate), "--tls-key", str(self.key)]
        return said + [part for name in self.names for part in ("--name", name)]

    def tls(self) -> ssl.SSLContext | None:
        """Return the context of TLS connections, ``None`` without a certificate."""
        if self.certificate is None or self.key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (ssl.SSLError, OSError) as error:
            raise _fault("the certificate", "one that its key belongs to", str(error)[:200]) from error
        return context


def listening(
    host: str | None = None,
    port: int | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    names: Iterable[str] = (),
) -> Listening:
    """Return where to listen.

    Raises ``ENVIRONMENT``: an address off the loopback without a certificate, a certificate without a key or
    the other way round, either without a port, a key others may read, a certificate out of its days, or a
    name that is none.
    """
    given = tuple(dict.fromkeys(_name(one) for one in names))
    if port is None:
        if certificate or key or host or given:
            raise _fault("the listener", "a port to listen on", "none", "Add --port.")
        return Listening()
    address = host or "127.0.0.1"
    if bool(certificate) != bool(key):
        raise _fault(
            "TLS", "a certificate and its private key", "one of them", "Give --tls-cert and --tls-key."
        )
    if certificate is None or key is None:
        if address not in LOOPBACK:
            raise EnvironmentFault(
                "ENVIRONMENT",
                what="the listener",
                expected="a loopback address without a certificate",
                found=address,
                remedy="Give --tls-cert and --tls-key, or leave --host out and put a TLS proxy before it;"
                " give the proxy's name with --name.",
            )
        return Listening(address, port, names=given, hosts=(*given, *LOOPBACK_NAMES))
    _require_private(key)
    own = _names_in(_certificate(certificate))
    near = LOOPBACK_NAMES if address in LOOPBACK else ()
    hosts = tuple(dict.fromkeys((*given, *own, *near)))
    if not hosts:
        raise _fault("the certificate", "a subject alternative name", "none", "Name the host with --name.")
    found = Listening(address, port, certificate.absolute(), key.absolute(), given, hosts)
    found.tls()
    return found


def _require_private(key: Path) -> None:
    """Refuse a private key that somebody other than this user may read, or is owned by somebody else."""
    try:
        found = key.stat()
    except OSError as error:
        raise _fault(str(key), "a private key", error.strerror or "nothing readable") from error
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in (0, os.geteuid()):
        raise _fault(
            str(key),
            "a private key only this user can read (mode 0600)",
            f"mode {found.st_mode & 0o777:04o}",
            f"chmod 600 {key}",
        )
    try:
        serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (ValueError, TypeError, OSError) as error:
        raise _fault(str(key), "a private key in PEM without a passphrase", type(error).__name__) from error


def _certificate(path: Path) -> x509.Certificate:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _fault(str(path), "a certificate in PEM", type(error).__name__) from error
    now = wall_s()
    if not found.not_valid_before_utc.timestamp() <= now <= found.not_valid_after_utc.timestamp():
        days = f"one from {found.not_valid_before_utc:%Y-%m-%d} to {found.not_valid_after_utc:%Y-%m-%d}"
        raise _fault(str(path), "a certificate valid today", days, "Have it renewed.")
    return found


def _names_in(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    names = [one.lower() for one in found.get_values_for_type(x509.DNSName) if _NAME.fullmatch(one.lower())]
    addresses = found.get_values_for_type(x509.IPAddress)
    return names + [_bracketed(one) for one in addresses if hasattr(one, "packed")]


def _bracketed(address: object) -> str:
    return f"[{address}]" if ":" in str(address) else str(address)


def _name(text: str) -> str:
    try:
        return _bracketed(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        lowered = text.lower()
    if len(lowered) > 253 or not _NAME.fullmatch(lowered):
        raise _fault("--name", "a host name such as lab.example.org, without port", repr(text[:60]))
    return lowered


def _no_password() -> str:
    raise ssl.SSLError("the key has a passphrase")


def _fault(what: str, expected: str, found: str, remedy: str = "Look at the file named.") -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found, remedy=remedy)
