"""The scope inventory: every record type and system, the rules that ask for it, and what applies (P11-1-b).

Rules kept here:

* Every declared type has a row; one without a predicate rule is labelled "not a required record" and says
  that it gets the same trail.
* What quality decided in a scope item that names the type wins over the rules it is shipped with; both are
  shown. As of a day, the decisions of that day count, so that past records keep theirs.
* Nothing is typed here: rows come from the catalogue and from scope items.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.rows import Row
from coverslip.records.quality.scope_item import annex11, part11

TYPE = "scope_item"
DECIDED = ("in_scope", "out_of_scope")
NOT_REQUIRED = "not a required record"
COLUMNS = (
    "kind",
    "name",
    "title",
    "required",
    "rules",
    "shipped_rules",
    "part11",
    "part11_reason",
    "annex11",
    "annex11_reason",
    "scope",
    "scope_item",
    "decided_on",
    "reason",
    "retention",
    "signatures",
    "record_of_truth",
    "risk",
    "gamp_category",
    "definition",
)
"""Columns of a row, in the order of the file for spreadsheets."""
_ELECTRONIC = {"predominant_copy": "electronic", "used_electronically": True}
History = Callable[[str], Iterable[Mapping[str, Any]]]


def decisions(items: Iterable[Row], as_of: str, history: History) -> list[dict[str, Any]]:
    """Return the content of each scope item as decided last, on ``as_of`` (YYYY-MM-DD) or before.

    Without a day the item as it is now counts. An item under a new decision keeps its last one until then;
    one never decided is left out.
    """
    found = []
    for item in items:
        versions = (
            [item.content] if item.state in DECIDED and not as_of else _versions(history(item.uid), as_of)
        )
        decided = [v for v in versions if v["state"] in DECIDED]
        ended = versions and versions[-1]["state"] in ("retired", "voided")
        if decided and not ended:
            found.append({**decided[-1], "number": item.number})
    return found


def _versions(entries: Iterable[Mapping[str, Any]], as_of: str) -> list[dict[str, Any]]:
    contents = (
        e["sections"]["content"]
        for e in entries
        if not e["about"] and "content" in e["sections"] and (not as_of or str(e["at"])[:10] <= as_of)
    )
    return list(contents)


def inventory(catalogue: Catalogue, decided: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each record type, then one for each other scope item decided on."""
    contents = sorted(decided, key=lambda c: str(c["number"]))
    by_type = {str(c["fields"]["record_type"]): c for c in contents if c["fields"].get("record_type")}
    rows = [_type_row(d, by_type.get(d.name)) for d in sorted(catalogue, key=lambda d: d.name)]
    known = {d.name for d in catalogue}
    others = [c for c in contents if c["fields"].get("record_type") not in known]
    return rows + [_item_row(c) for c in others]


def _type_row(definition: Definition, decided: Mapping[str, Any] | None) -> dict[str, Any]:
    declared = definition.type
    fields: Mapping[str, Any] = decided["fields"] if decided else _ELECTRONIC
    rules = list(fields.get("predicate_rules", ())) if decided else list(declared.predicate_rules)
    return {
        "kind": "record_type",
        "name": declared.name,
        "title": declared.title,
        "shipped_rules": list(declared.predicate_rules),
        "retention": _retention(declared.retention),
        "signatures": _signatures(declared),
        "definition": f"v{declared.version} {definition.hash}",
        **_applicability(rules, fields),
        **_decision(decided),
    }


def _item_row(content: Mapping[str, Any]) -> dict[str, Any]:
    fields = content["fields"]
    point = fields.get("signature_point")
    return {
        "kind": fields["kind"],
        "name": fields["name"],
        "title": fields["name"],
        "signatures": [point] if point else [],
        **_applicability(list(fields.get("predicate_rules", ())), fields),
        **_decision(content),
    }


def _applicability(rules: list[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    applies, why = part11(rules, fields)
    eu, eu_why = annex11(rules, fields)
    return {
        "rules": rules,
        "required": "required by rule" if rules else NOT_REQUIRED,
        "part11": applies,
        "part11_reason": why,
        "annex11": eu,
        "annex11_reason": eu_why,
        "record_of_truth": fields.get("predominant_copy", "electronic"),
    }


def _decision(content: Mapping[str, Any] | None) -> dict[str, Any]:
    if content is None:
        return {"scope": "as shipped"}
    fields = content["fields"]
    found = {
        "scope": content["state"],
        "scope_item": content["number"],
        "decided_on": fields.get("decided_on"),
        "reason": fields.get("out_of_scope_because"),
        "risk": fields.get("risk"),
        "gamp_category": fields.get("gamp_category"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _retention(retention: w.Retention) -> str:
    if retention.longest_of:
        return f"longest of {'.'.join(retention.longest_of)}"
    return retention.class_ + (f", or as {retention.class_at} says" if retention.class_at else "")


def _signatures(declared: w.Type) -> list[str]:
    acts = [("create", declared.create.signature), *((t.name, t.signature) for t in declared.transitions)]
    return [_signature(act, asked) for act, asked in acts if asked is not None]


def _signature(act: str, asked: w.Signature) -> str:
    by = f" by {' or '.join(asked.roles)}" if asked.roles else ""
    apart = f", independent of {', '.join(asked.independent_of)}" if asked.independent_of else ""
    return f"{act}: {asked.meaning}{by}{apart}"


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the rows as CSV with a heading; lists are joined by "; ".

    A cell that a spreadsheet would take for a formula is led by an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row.get(column, "")) for column in COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> str:
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
