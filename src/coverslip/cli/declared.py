"""What a type's definition says, for whoever has to fill it in: fields with their kinds, acts with theirs.

Rules kept here: it is read from the canonical form that is on the ledger, so that it says what is in force;
a word this release does not know is shown by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Form = Mapping[str, Any]


def fields_of(declared: Form) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, kind, when it is needed, and label with help of each field a person can give."""
    for name, field in declared["fields"].items():
        if field.get("source") == "computed":
            continue
        kind = kind_of(field["kind"]) + (", many" if field.get("many") else "")
        needed = "required" if field.get("required") else ""
        if field.get("required_at"):
            needed = f"before {', '.join(field['required_at'])}"
        yield name, kind, needed, ": ".join(part for part in (field["label"], field.get("help")) if part)


def acts_of(declared: Form) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield name, states, who, signature and fields of each act somebody can do."""
    create, edit = declared["create"], declared.get("edit")
    yield "create", f"-> {create['state']}", *_by(create)
    if edit:
        yield "edit", ", ".join(edit["states"]), *_by(edit)
    for act in declared["transitions"]:
        if act.get("consequence"):
            continue
        before, after = ", ".join(act["from_"]), act.get("to", "")
        yield act["name"], f"{before} -> {after}" if after else before, *_by(act)


def _by(act: Form) -> tuple[str, str, str]:
    who = ", ".join((*act.get("who", ()), *(f"the {name}" for name in act.get("persons", ()))))
    signed = f"signed '{act['signature']['meaning']}'" if act.get("signature") else ""
    reason = ["a reason"] if act.get("reason") else []
    return who, signed, ", ".join([*act.get("fields", ()), *reason])


def kind_of(kind: Form) -> str:
    """Return what a value looks like, in a few words."""
    word = str(kind["word"])
    if word == "Enum":
        return "one of " + ", ".join(map(str, kind["choices"]))
    if word == "Link":
        return "number of " + (" or ".join(kind["types"]) if kind.get("types") else "any record")
    if word == "Vocab":
        return f"value of the list {kind['name']}"
    if word == "Table":
        columns = (
            f"{name}{'' if column.get('required', True) else '?'} ({kind_of(column['kind'])})"
            for name, column in kind["columns"].items()
        )
        return "rows of " + "; ".join(columns)
    return _PLAIN.get(word, word.lower())


_PLAIN = {
    "Text": "text",
    "Rich": "text",
    "Date": "date, YYYY-MM-DD",
    "Instant": "time with offset",
    "Int": "whole number",
    "Decimal": "number",
    "Bool": "true or false",
    "File": "file",
    "Json": "JSON",
}
