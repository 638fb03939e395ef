"""The signing ceremony: read what will be signed, then enter both components.

Rules kept here: what is signed is exactly what was shown, on the version that was shown; the meaning is
told in words before the password is asked; both components are entered for every signing (11.200(a)).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from coverslip.cli.asking import Components
from coverslip.cli.caller import Caller
from coverslip.cli.show import say, warn
from coverslip.client import Coverslip, Receipt, Signature, View

_WHATEVER_IS_GIVEN = ("AUTH_", "SEQ_STATE", "LOCKED", "HOLD", "HASH", "CLOCK", "IDENTITY_")
"""Codes, or their beginnings, of refusals that no field given with the act changes."""


def perform(
    caller: Caller,
    number: str,
    act: str,
    fields: Mapping[str, Any],
    reason: str,
    components: Components,
    occurred_at: str = "",
) -> Receipt:
    """Do an act on a record; where it needs a signature and is open to this person, hold the ceremony.

    An act that is not open is sent all the same: the server's refusal says why and is recorded. One that
    waits for a condition may be waiting for the very fields given here, so that it is signed and then judged.
    """
    records = caller.client().records
    record = records.show(number)
    offered = next((a for a in record["acts"] if a["act"] == act), None)
    given: dict[str, Any] = {"reason": reason, "occurred_at": occurred_at}
    if offered is None or not _to_sign(offered, fields):
        given["expected_version"] = record["version"]
    else:
        view = records.view(number)
        present(caller, view, offered["meaning"], offered["meaning_text"], fields)
        username, password = components.ask()
        given |= {
            "expected_version": view.version, "signature": Signature(username, password, view.shown),
        }  # fmt: skip
    if act == "edit":
        return records.edit(number, fields, **given)
    return records.act(number, act, fields=fields, **given)


def _to_sign(offered: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a signature is asked for now: the act is open, or what is given with it may open it."""
    if not offered["meaning"] or offered["allowed"]:
        return bool(offered["meaning"])
    return waits_for_fields(offered) and not fields.keys().isdisjoint(offered["fields"])


def waits_for_fields(offered: Mapping[str, Any]) -> bool:
    """Whether an act that is not open takes fields that may open it."""
    return bool(offered["fields"]) and not str(offered.get("code", "")).startswith(_WHATEVER_IS_GIVEN)


def create(
    caller: Caller,
    kind: str,
    fields: Mapping[str, Any],
    reason: str,
    components: Components,
    number: str = "",
    occurred_at: str = "",
) -> Receipt:
    """Make a record; where its creation is declared as signed, hold the ceremony over a preview."""
    client = caller.client()
    declared = _creation_signature(client, kind)
    if not declared:
        return client.records.create(kind, fields, reason=reason, number=number, occurred_at=occurred_at)
    view = client.records.preview(kind, fields, number=number)
    present(caller, view, declared["meaning"], declared["text"], {})
    username, password = components.ask()
    signature = Signature(username, password, view.shown)
    return client.records.create(
        kind, fields, reason=reason, number=number, signature=signature, occurred_at=occurred_at
    )


def _creation_signature(client: Coverslip, kind: str) -> dict[str, Any]:
    """Return the signature a type's definition asks for at creation, empty when none."""
    definition = json.loads(client.definition(kind)["canonical"])
    found: dict[str, Any] = definition["type"]["create"].get("signature") or {}
    return found


def present(caller: Caller, view: View, meaning: str, text: str, fields: Mapping[str, Any]) -> None:
    """Show the record, what is added to it, and the meaning in words. Beside JSON it goes to stderr."""
    tell = warn if caller.json else say
    tell(view.text.rstrip("\n"))
    tell("")
    for name, value in sorted(fields.items()):
        tell(f"you add  {name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    tell(f"You sign as '{meaning}': {text}")
    sys.stdout.flush()
