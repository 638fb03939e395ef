"""A software authenticator: makes passkeys and answers challenges as a browser with a security key does.

Every part of an answer can be bent: page, party, flags, counter, key.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from webauthn.helpers import encode_cbor

from coverslip.kernel.change import Assertion, Change, Credential, Receipt
from coverslip.kernel.codes import STEP_S
from coverslip.kernel.passkeys import LOOPBACK, Passkey
from coverslip.kernel.rows import Row
from fix_lab import SHOWN, TODAY, Lab, Person

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Return the bytes of base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Key:
    """One passkey in an authenticator."""

    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    id: bytes = field(default_factory=lambda: os.urandom(24))
    count: int = 0

    @property
    def point(self) -> bytes:
        """Public key, 65 bytes."""
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def client(self, kind: str, challenge: bytes, origin: str = LOOPBACK.origins[0], **more: Any) -> bytes:
        """Return client data as browsers write it."""
        value = {"type": kind, "challenge": b64(challenge), "origin": origin, "crossOrigin": False} | more
        return json.dumps(value, separators=(",", ":")).encode()

    def data(self, flags: int, rp: str = LOOPBACK.id) -> bytes:
        """Return authenticator data; the counter goes up."""
        self.count += 1
        return hashlib.sha256(rp.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def make(
        self,
        challenge: bytes,
        *,
        flags: int = PRESENT | VERIFIED,
        origin: str = LOOPBACK.origins[0],
        rp: str = LOOPBACK.id,
    ) -> tuple[bytes, bytes]:
        """Return client data and attestation object of a new passkey."""
        client = self.client("webauthn.create", challenge, origin)
        cose = encode_cbor({1: 2, 3: -7, -1: 1, -2: self.point[1:33], -3: self.point[33:]})
        data = self.data(flags | ATTESTED, rp) + bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose
        return client, encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})

    def answer(
        self,
        challenge: bytes,
        ceremony: str = "",
        *,
        flags: int = PRESENT | VERIFIED,
        rp: str = LOOPBACK.id,
        kind: str = "webauthn.get",
        **client: Any,
    ) -> Assertion:
        """Return the answer to a challenge."""
        said, data = self.client(kind, challenge, **client), self.data(flags, rp)
        signed = self.private.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        return Assertion(ceremony, self.id, data, said, signed)


def passkey_row(made: Passkey, at: str) -> dict[str, str]:
    """Return a passkey as a user record lists it."""
    return {"kid": made.kid, "scheme": "webauthn-p256", "public": made.public, "enrolled_at": at}


def sign_with(lab: Lab, person: Person, key: Key, change: Change, **bent: Any) -> Receipt:
    """Do a signed change with a passkey."""
    ready = lab.door.prepare(change, person.context)
    answer = key.answer(ready.challenge, ready.ceremony, **bent)
    return lab.door.submit(change, person.context, Credential(assertion=answer))


def registered(lab: Lab, person: Person, key: Key) -> Passkey:
    """Let an authenticator make a passkey; no record lists it yet."""
    begun = lab.identity.ring.begin(person.context)
    client, attestation = key.make(unb64(begun["options"]["challenge"]))
    return lab.identity.ring.register(person.context, begun["ceremony"], key.id, client, attestation, "Key")


def listing(row: Row, made: Passkey, at: str) -> Change:
    """Return the act that lists a passkey."""
    fields = {"signing_keys": [*row.fields["signing_keys"], passkey_row(made, at)]}
    return Change("add_passkey", number=row.number, fields=fields, expected_version=row.version, shown=SHOWN)


def added(lab: Lab, person: Person, key: Key | None = None) -> Key:
    """Add a passkey to a person's record; nobody has verified it."""
    key = key or Key()
    made = registered(lab, person, key)
    row = lab.row(lab.number_of(person.username))
    sign_with(lab, person, key, listing(row, made, lab.accounts.now()))
    return key


def verified(lab: Lab, number: str) -> None:
    """Let security verify the passkeys that wait."""
    row = lab.row(number)
    check = {"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}
    lab.aurel.do(number, "verify_passkey", sign=True, identity_check=[*row.fields["identity_check"], check])


def with_passkey(lab: Lab, person: Person) -> Key:
    """Return a passkey of a person that counts."""
    key = added(lab, person)
    verified(lab, lab.number_of(person.username))
    return key


class Holder(Person):
    """Somebody who signs with a passkey, in a session of their own."""

    def __init__(self, lab: Lab, username: str) -> None:
        super().__init__(lab, username, lab.sign_in(username).opened)
        self.key = Key()

    def credential_for(self, change: Change) -> Credential:
        ready = self.lab.door.prepare(change, self.context)
        return Credential(assertion=self.key.answer(ready.challenge, ready.ceremony))


def code_of(lab: Lab, seed: str, steps: int = 0) -> str:
    """Return the code of a seed now, or some steps away."""
    key = base64.b32decode(seed + "=" * (-len(seed) % 8))
    now = int(dt.datetime.fromisoformat(lab.accounts.now()).timestamp())
    return TOTP(key, 6, SHA1(), STEP_S).generate(now + steps * STEP_S).decode()  # noqa: S303


def without_password(lab: Lab, person: Person) -> None:
    """Leave a person nothing but passkeys: the key under their password is gone from the server."""
    gone = lab.ask(
        "update ops.credential set revoked_at = clock_timestamp(), secret = null,"
        " data = data - 'sealed' - 'salt' - 'nonce'"
        " where person = %s::uuid and kind = 'signing' returning 1",
        person.uid,
    )
    assert gone
