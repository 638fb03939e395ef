"""What a specimen asks before it moves on: its label, its quantity and who holds it (DOMAIN 4.8)."""

from __future__ import annotations

from decimal import Decimal

from coverslip.kernel.rules import Refusal, RuleInput, rule


@rule("label_matches", 1)
def label_matches(inp: RuleInput) -> str | None:
    """Ask that the label scanned is the one on this specimen.

    A label that was printed here carries the number, alone or as ``<site>/<number>?v=<version>``; one
    that came with the specimen carries its external id.
    """
    number = inp.record.number if inp.record is not None else ""
    scanned = str(inp.fields.get("scanned_label", ""))
    external = str(inp.fields.get("external_id", ""))
    expected = external or number
    read = scanned.rpartition("/")[2].partition("?")[0] if "?v=" in scanned else scanned
    if read and read in (number, external):
        return None
    return f"You scanned {scanned or 'nothing'}; step expects {expected}. Nothing was recorded as done."


@rule("quantity_suffices", 1)
def quantity_suffices(inp: RuleInput) -> Refusal | None:
    """Ask that no more is taken than there is, and that something is taken."""
    if "quantity" not in inp.fields:
        return Refusal("VAL_REQ", "The quantity of the specimen is recorded", {})
    have, taken = Decimal(inp.fields["quantity"]), Decimal(inp.fields.get("taken", "0"))
    unit = str(inp.fields.get("unit", ""))
    if taken <= 0:
        return Refusal("VAL_REQ", "Say how much is taken", {})
    if taken > have:
        return Refusal("VAL_RANGE", f"{taken} is outside 0–{have} {unit}: no quantity falls below zero", {})
    return None


@rule("quantity_left", 1)
def quantity_left(inp: RuleInput) -> str:
    """Return what is left once ``taken`` is taken away."""
    left = Decimal(inp.fields["quantity"]) - Decimal(inp.fields["taken"])
    return format(left, "f")


@rule("receiver_is_another", 1)
def receiver_is_another(inp: RuleInput) -> str | None:
    """Ask that a hand-over goes to somebody who does not hold the specimen already."""
    receiver, holder = inp.fields.get("receiver"), inp.fields.get("custodian")
    if receiver is None:
        return "The receiver is named."
    if holder is not None and holder["uid"] == receiver["uid"]:
        return "The specimen is handed to somebody who does not hold it already."
    return None
