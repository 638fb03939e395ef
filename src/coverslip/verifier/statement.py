"""The ``signature`` section of an entry, read strictly.

Signed are ``coverslip-signature-v1``, a newline and the canonical JSON of the statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from coverslip.ledger import canonical
from coverslip.ledger.leaf import LeafError, parse_time
from coverslip.verifier import shape
from coverslip.verifier.keys import SCHEMES, check_scheme
from coverslip.verifier.report import BundleError

PREFIX: Final = b"coverslip-signature-v1\n"
_REQUIRED: Final = (
    "v log record def act sections shown meaning meaning_text signer prepared_at zone components checkpoint"
)


@dataclass(frozen=True, slots=True)
class Signature:
    """A read signature: how it was made, and its statement's parts that are shown or compared."""

    scheme: str
    kid: str
    public: bytes
    signature: bytes
    authenticator: bytes
    client: bytes
    statement: dict[str, Any]
    number: str
    person: str
    username: str
    name: str
    role: str
    meaning: str
    meaning_text: str
    prepared_at: str
    zone: str
    workstation: str
    components: tuple[str, ...]
    size: int
    root: str
    behalf: dict[str, str] = field(default_factory=dict)
    """Person, name and delegation signed for; empty where the signer signs for themselves."""

    @property
    def title(self) -> str:
        """Printed name, and for whom where the role is delegated."""
        if not self.behalf:
            return self.name
        return f"{self.name} for {self.behalf['name']}, delegation {self.behalf['delegation']}"

    def verify(self) -> None:
        """Check the signature over the statement. Raises ValueError if it does not hold."""
        message = PREFIX + canonical.encode(self.statement)
        check_scheme(self.scheme, self.public, message, self.signature, self.authenticator, self.client)


def parse(value: Any) -> Signature:
    """Read a signature section's value. Raises BundleError if it is not of the form."""
    found = shape.keys(
        "signature", value, "scheme kid public signature statement", "authenticator_data client_data"
    )
    if found["scheme"] not in SCHEMES:
        raise BundleError(f"unknown signature scheme {found['scheme']!r}")
    public = shape.octets("public", found["public"])
    if found["kid"] != sha256(public).digest()[:16].hex():
        raise BundleError("the key id is not that of the public key")
    said = shape.keys("statement", found["statement"], _REQUIRED, "base files workstation period")
    if said["v"] != 1 or type(said["v"]) is not int:
        raise BundleError("a statement of an unknown version")
    signer = shape.keys("signer", said["signer"], "person username name role", "behalf")
    behalf = signer.get("behalf")
    if behalf is not None:
        behalf = shape.keys("signer.behalf", behalf, "person name delegation")
    record = shape.keys("statement.record", said["record"], "kind id number")
    checkpoint = shape.keys("statement.checkpoint", said["checkpoint"], "size root")
    shape.mapping("statement.sections", said["sections"])
    if not shape.text("name", signer["name"]).strip():
        raise BundleError("the statement has no printed name")
    try:
        parse_time(said["prepared_at"])
    except LeafError as error:
        raise BundleError(str(error)) from None
    return Signature(
        scheme=found["scheme"],
        kid=found["kid"],
        public=public,
        signature=shape.octets("signature", found["signature"]),
        authenticator=shape.octets("authenticator_data", found.get("authenticator_data", "")),
        client=shape.octets("client_data", found.get("client_data", "")),
        statement=said,
        number=shape.text("number", record["number"]),
        person=shape.text("person", signer["person"]),
        username=shape.text("username", signer["username"]),
        name=shape.text("name", signer["name"]),
        role=shape.text("role", signer["role"]),
        behalf={name: shape.text(f"behalf.{name}", value) for name, value in (behalf or {}).items()},
        meaning=shape.text("meaning", said["meaning"]),
        meaning_text=shape.text("meaning_text", said["meaning_text"]),
        prepared_at=said["prepared_at"],
        zone=shape.text("zone", said["zone"]),
        workstation=shape.text("workstation", said.get("workstation", "")),
        components=tuple(
            shape.text("component", one) for one in shape.array("components", said["components"])
        ),
        size=shape.whole("checkpoint.size", checkpoint["size"]),
        root=shape.digest("checkpoint.root", checkpoint["root"]),
    )
