"""Personal signing keys: made by their owner, wrapped by the owner's own secret.

Rules kept here (DESIGN law 5, P11-200-a3):

* The private key exists unwrapped only inside ``sign`` and ``enrol``; it is stored only wrapped under
  a key derived from the owner's secret with Argon2id. Nobody else's secret opens it.
* One derivation serves both: a wrong secret fails to unwrap, so there is no second verifier to steal.
* At most two derivations run at once, because each takes 128 MiB.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from coverslip.errors import Invalid, Refused
from coverslip.kernel import screening
from coverslip.settings import Limits

SCHEME = "ed25519-wrapped"
MIN_SECRET = Limits().password_min_characters
MAX_SECRET = 1024
_COST = asdict(Limits().password)
_DERIVING = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new key: what is public, and the wrapped form to store. ``kid`` and ``public`` are hex."""

    kid: str
    public: str
    wrapped: dict[str, Any]


def key_id(public: bytes) -> str:
    """Return the key's id: the first 16 bytes of its SHA-256, hex."""
    return hashlib.sha256(public).digest()[:16].hex()


def check_secret(secret: str, username: str) -> None:
    """Refuse a secret that is short, common or contains the user name (P11-300-b)."""
    lowered = secret.casefold()
    problem = ""
    if not MIN_SECRET <= len(secret) <= MAX_SECRET:
        problem = f"{len(secret)} characters"
    elif username and username.casefold() in lowered:
        problem = "a password containing the user name"
    elif screening.guessable(secret, username):
        problem = "a commonly used password, or one that is guessed from them"
    if problem:
        raise Invalid(
            "VAL_FORM",
            field="password",
            expected=f"{MIN_SECRET} or more characters, not a common password",
            found=problem,
        )


def _derive(secret: str, salt: bytes, cost: dict[str, int]) -> bytes:
    with _DERIVING:
        return hash_secret_raw(
            secret.encode(),
            salt,
            time_cost=cost["time_cost"],
            memory_cost=cost["memory_kib"],
            parallelism=cost["parallelism"],
            hash_len=32,
            type=Type.ID,
        )


def enrol(secret: str, person: str) -> Enrolment:
    """Make a signing key for ``person`` (uuid), wrapped by ``secret``."""
    return enrol_and_sign(secret, person)[0]


def enrol_and_sign(secret: str, person: str) -> tuple[Enrolment, Callable[[bytes], bytes]]:
    """Make a key, and return beside it the means to sign within the same ceremony (genesis)."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    kid, salt, nonce = key_id(public), secrets.token_bytes(16), secrets.token_bytes(12)
    seed = key.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    sealed = AESGCM(_derive(secret, salt, _COST)).encrypt(nonce, seed, _bound(person, kid))
    wrapped = {
        "scheme": SCHEME,
        "kid": kid,
        "public": public.hex(),
        "salt": salt.hex(),
        "nonce": nonce.hex(),
        "sealed": sealed.hex(),
        "cost": dict(_COST),
        "screened": screening.lists(),
    }
    return Enrolment(kid, public.hex(), wrapped), key.sign


def _bound(person: str, kid: str) -> bytes:
    """Associated data: a wrapped key moved to another person's row does not open."""
    return f"coverslip-key-v1\n{person}\n{kid}".encode()


def _unwrap(wrapped: dict[str, Any], secret: str, person: str) -> Ed25519PrivateKey:
    derived = _derive(secret, bytes.fromhex(wrapped["salt"]), wrapped["cost"])
    try:
        seed = AESGCM(derived).decrypt(
            bytes.fromhex(wrapped["nonce"]), bytes.fromhex(wrapped["sealed"]), _bound(person, wrapped["kid"])
        )
    except InvalidTag:
        raise Refused("SIG_REAUTH", expected="user name and password are") from None
    return Ed25519PrivateKey.from_private_bytes(seed)


def sign(wrapped: dict[str, Any], secret: str, person: str, message: bytes) -> bytes:
    """Return the owner's Ed25519 signature; raises ``SIG_REAUTH`` when the secret is not theirs."""
    return _unwrap(wrapped, secret, person).sign(message)


def prove(wrapped: dict[str, Any], secret: str, person: str) -> None:
    """Return if the secret opens the key; raises ``SIG_REAUTH`` otherwise."""
    _unwrap(wrapped, secret, person)


def burn_time(secret: str) -> None:
    """Spend the time of one derivation, so that an unknown user name takes as long as a known one."""
    _derive(secret[:MAX_SECRET] or " ", b"\x00" * 16, _COST)
