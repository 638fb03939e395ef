"""Named rules of governed documents: when a version may come into force, and who is to be trained on it.

Rules kept here: pure functions over what a declaration lets them read; the sentence returned is what a
person reads.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule

_SHARE_CRITICAL = 100
_SHARE_OTHER = 80
TRAINED_STATES = ("completed", "exempted")
"""States of a training record in which its person counts as trained on its document."""
SETTLED = ("cancelled", "expired", "superseded", "voided")
"""States of a training record that neither train anybody nor ask anybody to train."""
OUT = ("issued", "handed_back", "recalled")
"""States of a controlled copy that nobody has accounted for yet."""


def uid_at(fields: Any, name: str) -> str:
    """Return the id of the record that a link field names, empty where there is none."""
    link = fields.get(name) if isinstance(fields, dict) or hasattr(fields, "get") else None
    return str(link.get("uid", "")) if isinstance(link, dict) else ""


def holders(grants: tuple[Row, ...], today: str) -> dict[str, dict[str, Any]]:
    """Return the people who hold a role on ``today``: the link to each, by id."""
    return {
        uid_at(g.fields, "person"): g.fields["person"]
        for g in grants
        if g.state == "active"
        and str(g.fields.get("start", "")) <= today
        and str(g.fields.get("end", "9999-12-31")) >= today
    }


@rule("effective_date_reached", 1)
def effective_date_reached(inp: RuleInput) -> str | None:
    """Ask that the effective date is today or past."""
    day = str(inp.fields.get("effective_date", ""))
    return None if day and day <= inp.today else f"The effective date is {day or 'not set'}."


@rule("audience_trained", 2)
def audience_trained(inp: RuleInput) -> str | None:
    """Ask that the share of role holders trained on this version is reached, or that QA waived it.

    100 % where the document is critical to GxP, else 80 %; an untrained holder is refused at each act
    anyway. Documents that need no training, and audiences nobody holds, pass.
    """
    if inp.fields.get("training_depth") == "none" or inp.record is None:
        return None
    if inp.record.people.get("signed_waived"):
        return None
    audience = set(holders(inp.children["grants"], inp.today))
    done = {uid_at(t.fields, "person") for t in inp.children["training"] if t.state in TRAINED_STATES}
    needed = _SHARE_CRITICAL if inp.fields.get("criticality") == "gxp_critical" else _SHARE_OTHER
    trained = len(audience & done)
    if trained * 100 >= needed * len(audience):
        return None
    return (
        f"{trained} of {len(audience)} in the audience are trained on {inp.record.label}; "
        f"{needed} % are needed, or a QA waiver."
    )


@rule("audience_assignments", 1)
def audience_assignments(inp: RuleInput) -> list[dict[str, Any]]:
    """Return one training record for each holder of the audience's roles who has none on this version.

    A document whose training depth is ``none`` asks nobody.
    """
    if inp.fields.get("training_depth") in (None, "none"):
        return []
    known = {uid_at(t.fields, "person") for t in inp.children["training"] if t.state not in SETTLED}
    found = holders(inp.children["grants"], inp.today)
    return [{"person": found[uid]} for uid in sorted(found, key=_number_of(found)) if uid not in known]


def _number_of(found: dict[str, dict[str, Any]]) -> Any:
    return lambda uid: str(found[uid].get("number", ""))


@rule("change_control_linked", 1)
def change_control_linked(inp: RuleInput) -> str | None:
    """Ask that a second or later version names the change that approved it (11.10(k)(2))."""
    revision = inp.record.revision if inp.record is not None else 1
    if revision < 2 or uid_at(inp.fields, "change_control"):
        return None
    return "A change control is linked: version 2 and later need one."


@rule("copies_accounted_for", 1)
def copies_accounted_for(inp: RuleInput) -> str | None:
    """Ask that every controlled copy of this version came back, or that QA waived what is still out."""
    if inp.record is None or inp.record.people.get("waive_copies"):
        return None
    out = sorted(c.number for c in inp.children["copies"] if c.state in OUT)
    if not out:
        return None
    shown = ", ".join(out[:10]) + (" and more" if len(out) > 10 else "")
    return (
        f"{len(out)} controlled copies of {inp.record.label} are not returned, destroyed or reported lost "
        f"({shown}); QA may waive this."
    )


@rule("form_compiles", 1)
def form_compiles(inp: RuleInput) -> str | None:
    """Ask that a form's columns have names of their own, choices where they choose, and bounds in order."""
    rows = list(inp.fields.get("columns") or ())
    names = [str(row.get("name", "")) for row in rows]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        return f"Each field of the form has a name of its own ({', '.join(twice)} is there twice)."
    for row in rows:
        if row.get("kind") == "choice" and len(choices_of(row)) < 2:
            return f"Field {row['name']} lists its choices, two or more, one per line."
        if "low" in row and "high" in row and Decimal(row["low"]) > Decimal(row["high"]):
            return f"The bounds of field {row['name']} are in order."
    return None


def choices_of(row: Any) -> list[str]:
    """Return the choices of a form's field, one per line of ``choices``."""
    return [line.strip() for line in str(row.get("choices", "")).splitlines() if line.strip()]
