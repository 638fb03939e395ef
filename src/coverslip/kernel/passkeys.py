"""Passkeys: a person's key in an authenticator of their own (WebAuthn Level 3).

Rules kept here (DESIGN law 5, P11-200-a1.3, P11-300-c, P11-300-e.1):

* The relying party's name and origins are those this server is configured for, never a request's.
* The authenticator verifies its user, by PIN or biometric, every time: without that nothing is accepted.
* What a passkey may do is what its owner's record says of its public key; the row beside the ledger holds
  only how to find it, and its counter.
* A counter that does not rise is a copy of the authenticator, and refused. So is an answer that says of its
  key another kind of device than the one it was made in: a key never moves (P11-300-e.1).
* Every answer is a test of the passkey: the day of the last one is kept, and so is when the next is due.
* Only P-256 with SHA-256, because that is what the offline verifier checks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    bytes_to_base64url,
    decode_credential_public_key,
    options_to_json_dict,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import DecodedEC2PublicKey
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from coverslip.errors import Invalid, Refused
from coverslip.kernel import keys
from coverslip.kernel.change import Assertion
from coverslip.settings import Limits

TIMEOUT_MS = 300_000
"""How long a browser lets its user look for the authenticator; what was prepared is kept as long."""
COMPONENTS = ["passkey", "user_verification"]
"""What a passkey stands for: a thing its owner holds, and the PIN or biometric that opens it."""
NOT_ACCEPTED = "The passkey was not accepted."
OTHERWISE = "The passkey was to sign something else than what was sent with its answer. Nothing was signed."


TEST_DAYS = Limits().passkey_test_days
WARNED_DAYS = Limits().passkey_test_warned_days


class Answered(NamedTuple):
    """What a right answer says of its passkey: the new counter, and whether it is synchronised now."""

    counter: int
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Party:
    """The relying party: its id (a host name), its name for people, and the origins pages are served from."""

    id: str
    name: str
    origins: tuple[str, ...]

    @classmethod
    def of(cls, origin: str, name: str = "Coverslip") -> Party:
        """Return the party of an origin such as ``https://lab.example:8443``; the loopback is ``localhost``.

        Authenticators know names, not addresses: pages on a loopback address are opened as ``localhost``.
        """
        parts = urlsplit(origin)
        host = (parts.hostname or "").lower()
        if host in ("127.0.0.1", "::1", "localhost"):
            port = f":{parts.port}" if parts.port else ""
            return cls("localhost", name, (f"{parts.scheme}://localhost{port}",))
        return cls(host, name, (f"{parts.scheme}://{parts.netloc.lower()}",))


LOOPBACK = Party.of("http://localhost")


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as kept: its owner's person id, key id and public key (hex), the authenticator's own id of
    it, its counter, and what is known of it (``label``, ``aaguid``, ``device``, ``backed_up``, ``added_at``,
    ``used_at``)."""

    person: str
    kid: str
    public: str
    credential_id: bytes
    count: int
    data: Mapping[str, Any]

    @property
    def tested_at(self) -> str:
        """When it last answered, or was made."""
        return str(self.data.get("used_at") or self.data["added_at"])

    @property
    def test_due(self) -> str:
        """Last day on which it signs without another test, ISO 8601."""
        return (datetime.fromisoformat(self.tested_at) + timedelta(days=TEST_DAYS)).date().isoformat()


def challenge_of(message: bytes) -> bytes:
    """Return the challenge that stands for signed bytes: their SHA-256, as the verifier expects."""
    return hashlib.sha256(message).digest()


def creation_options(
    party: Party, challenge: bytes, person: str, username: str, name: str, known: list[Passkey]
) -> dict[str, Any]:
    """Return what ``navigator.credentials.create`` is asked, binary values in base64url."""
    asked = generate_registration_options(
        rp_id=party.id,
        rp_name=party.name,
        user_id=_handle(person),
        user_name=username,
        user_display_name=name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_listed(known),
        supported_pub_key_algs=[COSEAlgorithmIdentifier.ECDSA_SHA_256],
    )
    return dict(options_to_json_dict(asked))


def request_options(party: Party, challenge: bytes, known: list[Passkey]) -> dict[str, Any]:
    """Return what ``navigator.credentials.get`` is asked; nothing in ``known``: any of the party's."""
    asked = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=_listed(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return dict(options_to_json_dict(asked))


def _handle(person: str) -> bytes:
    """Return the user handle an authenticator keeps: the person's id, which says nothing of them."""
    return bytes.fromhex(person.replace("-", ""))


def _listed(known: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(p.credential_id) for p in known]


def registered(
    party: Party, challenge: bytes, person: str, client_data: bytes, attestation: bytes, credential_id: bytes
) -> Passkey:
    """Return the passkey an authenticator made. Raises ``VAL_FORM`` when it is not what was asked."""
    value = {
        "id": bytes_to_base64url(credential_id),
        "rawId": bytes_to_base64url(credential_id),
        "type": "public-key",
        "response": {
            "clientDataJSON": bytes_to_base64url(client_data),
            "attestationObject": bytes_to_base64url(attestation),
        },
    }
    try:
        _same_page(client_data)
        found = verify_registration_response(
            credential=parse_registration_credential_json(value),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier.ECDSA_SHA_256],
        )
        if found.credential_id != credential_id:
            raise _unlike("the credential's own id")
        public = _point(found.credential_public_key)
    except (WebAuthnException, ValueError, KeyError, TypeError, IndexError) as error:
        raise _unlike(str(error)[:120] or type(error).__name__) from None
    data = {
        "aaguid": found.aaguid,
        "device": found.credential_device_type.value,
        "backed_up": found.credential_backed_up,
    }
    return Passkey(person, keys.key_id(public), public.hex(), credential_id, found.sign_count, data)


def _unlike(what: str) -> Invalid:
    return Invalid(
        "VAL_FORM", field="passkey", expected="a new passkey for this page that verifies its user", found=what
    )


def _point(cose: bytes) -> bytes:
    """Return the uncompressed point (65 bytes) of a COSE key; raises ValueError for any other key."""
    key = decode_credential_public_key(cose)
    if not isinstance(key, DecodedEC2PublicKey) or (len(key.x), len(key.y)) != (32, 32):
        raise ValueError("a key that is not on P-256")
    return b"\x04" + key.x + key.y


def _same_page(client_data: bytes) -> None:
    """Refuse what was made inside a frame of another page."""
    if parse_client_data_json(client_data).cross_origin:
        raise ValueError("made inside another page")


def challenge_in(assertion: Assertion) -> bytes:
    """Return the challenge an assertion says it answers; empty where that cannot be read."""
    try:
        return parse_client_data_json(assertion.client_data).challenge
    except (WebAuthnException, ValueError, KeyError, TypeError):
        return b""


def verify(party: Party, passkey: Passkey, challenge: bytes, assertion: Assertion) -> Answered:
    """Check an assertion with a passkey's public key and return what it says of the passkey.

    Raises ``SIG_REAUTH`` whatever was wrong: page, party, challenge, user verification, counter, kind of
    device, signature.
    """
    response = AuthenticatorAssertionResponse(
        assertion.client_data, assertion.authenticator_data, assertion.signature
    )
    try:
        # The page is judged from one reading of the bytes: a name that stands twice has no one meaning.
        json.loads(assertion.client_data, object_pairs_hook=_once)
        _same_page(assertion.client_data)
        found = verify_authentication_response(
            credential=AuthenticationCredential(
                bytes_to_base64url(assertion.credential_id), assertion.credential_id, response
            ),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=bytes.fromhex(passkey.public),
            credential_current_sign_count=passkey.count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise refused() from None
    made_in = passkey.data.get("device")
    if made_in is not None and found.credential_device_type.value != made_in:
        raise refused()
    return Answered(found.new_sign_count, found.credential_backed_up)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def refused(message: str = NOT_ACCEPTED) -> Refused:
    """Return the one answer to whatever is wrong with a passkey."""
    return Refused("SIG_REAUTH", message=message, remedy="Use your passkey again, or your password.")


def unprepared() -> Refused:
    """Return what is said to an answer whose statement waits no more."""
    return Refused(
        "SIG_REAUTH",
        message="What your passkey was to sign is no longer prepared: more than five minutes passed, it was"
        " answered before, or the server was started again. Nothing was signed.",
        remedy="Sign again: it is prepared anew, from what you typed, and your passkey is asked once more.",
    )
