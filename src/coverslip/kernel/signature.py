"""Signatures: what is signed, and the ceremony that makes one.

Rules kept here:

* The statement names installation, record, base version and its leaf hash, definition, act, the
  commitment of every section that enters with it, files, the view shown, meaning, signer, time
  prepared and the last checkpoint (DESIGN law 5). Nothing of it can be moved to another record.
* The ceremony runs outside any transaction. The secret is used once and kept nowhere.
* Printed name and role are those of this moment, not a later join (P11-50-a1.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.errors import Refused
from coverslip.kernel import keys
from coverslip.kernel.change import Assertion, Change, Context, Credential
from coverslip.kernel.drafts import Draft
from coverslip.kernel.entries import Section, file_items, section
from coverslip.kernel.facts import Facts
from coverslip.kernel.rows import Authority
from coverslip.ledger import canonical, files
from coverslip.ledger.tree import EMPTY_ROOT

PREFIX = b"coverslip-signature-v1\n"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: person id, user name, printed name, wrapped key as stored."""

    person: str
    username: str
    name: str
    wrapped: Mapping[str, Any]


def statement(
    facts: Facts,
    draft: Draft,
    sections: Mapping[str, Section],
    change: Change,
    context: Context,
    signer: Signer,
    role: str,
    delegation: Authority | None,
    components: list[str],
    period: str,
) -> dict[str, Any]:
    """Return the statement to be signed, ready for canonical encoding."""
    assert draft.signature is not None  # noqa: S101 -- asked for only where a signature is declared
    value: dict[str, Any] = {
        "v": 1,
        "log": facts.installation["origin"],
        "record": {"kind": draft.definition.name, "id": draft.uid, "number": draft.number},
        "def": draft.definition.hash,
        "act": draft.act,
        "sections": {name: s.commitment for name, s in sorted(sections.items())},
        "shown": change.shown,
        "meaning": draft.signature.meaning,
        "meaning_text": draft.signature.text,
        "signer": {
            "person": signer.person,
            "username": signer.username,
            "name": signer.name,
            "role": role or "self",
        },
        "prepared_at": facts.now,
        "zone": context.zone,
        "workstation": context.workstation or "unnamed",
        "components": components,
        "period": period,
        "checkpoint": _checkpoint(facts),
    }
    if delegation is not None:
        value["signer"]["behalf"] = {
            "person": str(delegation.data["behalf"]),
            "name": str(delegation.data["behalf_name"]),
            "delegation": str(delegation.data["grant"]),
        }
    if draft.base is not None:
        value["base"] = {"ver": draft.base.version, "leaf": draft.base.leaf_hash}
    items = file_items(draft)
    if items:
        value["files"] = {"root": files.list_root(items).hex(), "count": len(items)}
    return value


def _checkpoint(facts: Facts) -> dict[str, Any]:
    """The last signed tree state; before the first one, the empty tree."""
    if not facts.checkpoint:
        return {"size": 0, "root": EMPTY_ROOT.hex()}
    return {"size": facts.checkpoint["size"], "root": facts.checkpoint["root"]}


def make(signed: dict[str, Any], signer: Signer, credential: Credential) -> Section:
    """Sign the statement with the owner's key and return the ``signature`` section.

    Raises ``SIG_REAUTH`` when the credential does not open the key; which component was wrong is
    never said (REGULATION 0.1.4).
    """
    message = PREFIX + canonical.encode(signed)
    wrapped = dict(signer.wrapped)
    value = keys.sign(wrapped, credential.secret, signer.person, message)
    return section(
        "signature",
        {
            "scheme": wrapped["scheme"],
            "kid": wrapped["kid"],
            "public": wrapped["public"],
            "signature": value.hex(),
            "statement": signed,
        },
    )


def with_assertion(signed: dict[str, Any], kid: str, public: str, assertion: Assertion) -> Section:
    """Return the ``signature`` section of a passkey's answer to the statement, as the verifier reads it."""
    return section(
        "signature",
        {
            "scheme": keys.PASSKEY,
            "kid": kid,
            "public": public,
            "signature": assertion.signature.hex(),
            "authenticator_data": assertion.authenticator_data.hex(),
            "client_data": assertion.client_data.hex(),
            "statement": signed,
        },
    )


def check_components(credential: Credential, signer: Signer, *, within_period: bool) -> list[str]:
    """Return the components used; refuse when both are needed and the user name is missing or another's."""
    if credential.username:
        if credential.username.casefold() != signer.username.casefold():
            raise Refused("SIG_REAUTH", expected="your own user name and password are")
        return ["user_id", "password"]
    if within_period:
        return ["password"]
    raise Refused("SIG_REAUTH", expected="both user name and password are")
