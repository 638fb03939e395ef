"""What must be settled before work is released or its review decided (DOMAIN 7.2, 8.4, 8.5, 7.3).

Rules kept here: a deviation blocks while it is major or critical and not closed; a nonconformity blocks
until it is closed; a flag blocks while it warns or is critical and nobody answered it. What blocks is named.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records.quality._severity import SEVERE

_LINKS = (("deviation", "affected"), ("ncr", "subject"), ("ncr", "also_affected"), ("anomaly", "subjects"))
_SETTLED = {
    "deviation": ("closed", "cancelled", "voided"),
    "ncr": ("closed", "voided"),
    "anomaly": ("answered", "closed", "voided"),
}
_BLOCKING = {"deviation": SEVERE, "ncr": ("minor", *SEVERE), "anomaly": ("warn", "critical")}


def _blocks(row: Row) -> bool:
    return row.state not in _SETTLED[row.type] and row.fields.get("severity") in _BLOCKING[row.type]


@rule("nothing_open", 1)
def nothing_open(inp: RuleInput) -> str | None:
    """Ask that no deviation, nonconformity or flag that blocks names the work."""
    rows = {row.number: row for found in inp.children.values() for row in found if _blocks(row)}
    if not rows:
        return None
    named = ", ".join(f"{n} ({r.fields['severity']}) is {r.state}" for n, r in sorted(rows.items()))
    return f"Deviations, nonconformities and flags are settled: {named}."


def settled(*paths: w.Path, kinds: tuple[str, ...] = tuple(_BLOCKING)) -> w.Rule:
    """Return the guard "nothing of ``kinds`` that blocks names the records at ``paths``"."""
    children = {
        f"{child}_{link}_{i}": (path, child, link)
        for i, path in enumerate(paths)
        for child, link in _LINKS
        if child in kinds
    }
    return w.Rule(
        "nothing_open", 1, {}, children, "Deviations, nonconformities and flags about it are settled."
    )
