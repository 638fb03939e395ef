"""Personal signing keys: made by their owner, wrapped by the owner's own secret.

Rules kept here (DESIGN law 5, P11-200-a3):

* The private key exists unwrapped only inside ``sign`` and ``enrol``; it is stored only wrapped under
  a key derived from the owner's secret with Argon2id. Nobody else's secret opens it.
* One derivation serves both: a wrong secret fails to unwrap, so there is no second verifier to steal.
* At most two derivations run at once, because each takes 128 MiB.
* The secret's bytes, the derived key and the unwrapped seed lie in buffers that are overwritten when the
  ceremony ends, however it ends. What Python keeps of its own (the text a request brought, the object of
  the cryptographic library) is dropped with it and cannot be overwritten from here; SECURITY.md says so.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from argon2.exceptions import HashingError
from argon2.low_level import ARGON2_VERSION, Type, core, error_to_str, ffi
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from coverslip.errors import Invalid, Refused
from coverslip.kernel import screening
from coverslip.settings import Limits

SCHEME = "ed25519-wrapped"
PASSKEY = "webauthn-p256"
"""Scheme of a key that lives in its owner's authenticator; nothing of it is kept here but its public half."""
_SEED, _TAG = 32, 16
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


@contextmanager
def _wiped(buffer: bytearray) -> Iterator[bytearray]:
    """Lend a buffer that holds a secret and overwrite it after."""
    try:
        yield buffer
    finally:
        buffer[:] = bytes(len(buffer))


def _fresh_seed() -> bytearray:
    """Return 32 random bytes that were never in an object that cannot be overwritten."""
    seed = bytearray(_SEED)
    with open("/dev/urandom", "rb", buffering=0) as source:
        if source.readinto(seed) != _SEED:
            raise OSError("the system gave too few random bytes")
    return seed


def _derive(secret: str, salt: bytes, cost: dict[str, int]) -> bytearray:
    """Return the 32-byte key of a secret; the caller overwrites it (``_wiped``).

    The library's own function copies the secret and leaves the copy; this hands over our buffers.
    """
    derived = bytearray(32)
    with _DERIVING, _wiped(bytearray(secret, "utf-8")) as given:
        # The fields of argon2_context; each buffer is named here, because the context does not keep it alive.
        taken = ffi.from_buffer("uint8_t[]", given)
        salted = ffi.from_buffer("uint8_t[]", salt)
        made = ffi.from_buffer("uint8_t[]", derived, require_writable=True)
        fields = {
            "version": ARGON2_VERSION, "flags": 0,
            "out": made, "outlen": len(derived), "pwd": taken, "pwdlen": len(given),
            "salt": salted, "saltlen": len(salt),
            "secret": ffi.NULL, "secretlen": 0, "ad": ffi.NULL, "adlen": 0,
            "t_cost": cost["time_cost"], "m_cost": cost["memory_kib"],
            "lanes": cost["parallelism"], "threads": cost["parallelism"],
            "allocate_cbk": ffi.NULL, "free_cbk": ffi.NULL,
        }  # fmt: skip
        code = core(ffi.new("argon2_context *", fields), Type.ID.value)
        for buffer in (taken, salted, made):
            ffi.release(buffer)
    if code != 0:
        raise HashingError(error_to_str(code))
    return derived


def enrol(secret: str, person: str) -> Enrolment:
    """Make a signing key for ``person`` (uuid), wrapped by ``secret``."""
    return enrol_and_sign(secret, person)[0]


def enrol_and_sign(secret: str, person: str) -> tuple[Enrolment, Callable[[bytes], bytes]]:
    """Make a key, and return beside it the means to sign within the same ceremony (genesis)."""
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    with _wiped(_fresh_seed()) as seed:
        key = Ed25519PrivateKey.from_private_bytes(seed)
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        kid = key_id(public)
        with _wiped(_derive(secret, salt, _COST)) as derived:
            sealed = AESGCM(derived).encrypt(nonce, seed, _bound(person, kid))
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
    bound = _bound(person, wrapped["kid"])
    sealed, nonce = bytes.fromhex(wrapped["sealed"]), bytes.fromhex(wrapped["nonce"])
    with (
        _wiped(_derive(secret, bytes.fromhex(wrapped["salt"]), wrapped["cost"])) as derived,
        _wiped(bytearray(max(0, len(sealed) - _TAG))) as seed,
    ):
        try:
            AESGCM(derived).decrypt_into(nonce, sealed, bound, seed)
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
    with _wiped(_derive(secret[:MAX_SECRET] or " ", b"\x00" * 16, _COST)):
        pass
