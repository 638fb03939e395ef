"""A judge of refinements that knows nothing of how they are made, and patches to set before it.

The judge reads two declarations as plain JSON and names every way in which the second asks for less than the
first. What it does not know it takes for a loosening, so that a word added later is not passed by mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st

from coverslip.kernel import words as w

Json = dict[str, Any]

# --- the judge -----------------------------------------------------------------------------------


def loosened(before: w.Type, after: w.Type) -> list[str]:
    """Return every way in which a type asks for less than it did, empty when there is none."""
    return list(_type(_full(before), _full(after)))


def _full(word: Any) -> Any:
    """Return a word as JSON with its defaults, which the declaration's own form leaves out."""
    if isinstance(word, msgspec.Struct):
        found = {f: _full(getattr(word, f)) for f in word.__struct_fields__}
        return found | {"word": type(word).__name__}
    if isinstance(word, dict):
        return {k: _full(v) for k, v in word.items()}
    return [_full(v) for v in word] if isinstance(word, tuple | list) else word


def _same(before: Json, after: Json, but: set[str], where: str) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        if key not in but and before.get(key) != after.get(key):
            yield f"{where}.{key} is another"


def _grown(before: list[Any], after: list[Any], where: str) -> Iterator[str]:
    if after[: len(before)] != before:
        yield f"{where} lost or changed something"


def _type(before: Json, after: Json) -> Iterator[str]:
    judged = {"version", "migration_note", "fields", "create", "edit", "transitions", "summary"}
    yield from _same(before, after, judged, "type")
    yield from _grown(before["summary"], after["summary"], "summary")
    for name, field in before["fields"].items():
        if name not in after["fields"]:
            yield f"the field {name} is gone"
        else:
            yield from _field(field, after["fields"][name], name)
    for name in after["fields"].keys() - before["fields"].keys():
        added = after["fields"][name]
        if not name.startswith("site_") or added["personal"] or added["unique"] or added["source"] != "typed":
            yield f"the field {name} is not the site's own"
        if added["default"] is not None:
            yield f"the field {name} is filled by itself"
    yield from _act(before["create"], after["create"], "create", after)
    if (before["edit"] is None) != (after["edit"] is None):
        yield "editing came or went"
    elif before["edit"] is not None:
        yield from _act(before["edit"], after["edit"], "edit", after)
    names = [t["name"] for t in before["transitions"]]
    if names != [t["name"] for t in after["transitions"]]:
        yield "acts came or went"
        return
    for one, other in zip(before["transitions"], after["transitions"], strict=True):
        yield from _act(one, other, one["name"], after)


def _act(before: Json, after: Json, name: str, declared: Json) -> Iterator[str]:
    judged = {"who", "requires", "independent_of", "fields", "signature", "reason"}
    yield from _same(before, after, judged, name)
    if before["who"] != after["who"]:
        if not after["who"] or (not set(after["who"]) <= set(before["who"]) and "*" not in before["who"]):
            yield f"{name} may be done by others"
        if "*" in after["who"] and "*" not in before["who"]:
            yield f"{name} may be done by anybody"
    yield from _grown(before["requires"], after["requires"], f"{name}.requires")
    for part in ("independent_of", "fields"):
        yield from _grown(before.get(part, []), after.get(part, []), f"{name}.{part}")
    for field in after.get("fields", [])[len(before.get("fields", [])) :]:
        if not field.startswith("site_"):
            yield f"{name} may give {field}"
    asked = (before["reason"] or {"minimum": 0})["minimum"]
    if (after["reason"] or {"minimum": 0})["minimum"] < asked:
        yield f"{name} asks a shorter reason"
    yield from _signature(before.get("signature"), after.get("signature"), name)


def _signature(before: Json | None, after: Json | None, name: str) -> Iterator[str]:
    if before is None:
        if after is not None and after["stage"] != "full":
            yield f"{name} is signed by people not verified"
        return
    if after is None:
        yield f"{name} is not signed any more"
        return
    yield from _same(before, after, {"roles", "independent_of", "delegable"}, f"{name}.signature")
    if before["roles"] != after["roles"] and not (
        after["roles"] and (not before["roles"] or set(after["roles"]) <= set(before["roles"]))
    ):
        yield f"{name} is signed by others"
    if not set(before["independent_of"]) <= set(after["independent_of"]):
        yield f"{name} is signed by somebody less independent"
    if after["delegable"] and not before["delegable"]:
        yield f"{name} is signed by delegates"


def _field(before: Json, after: Json, name: str) -> Iterator[str]:
    judged = {"kind", "required_at", "immutable_at", "critical", "sensitive"}
    yield from _same(before, after, judged, name)
    for key in ("required_at", "immutable_at"):
        if not set(before[key]) <= set(after[key]):
            yield f"{name}.{key} lost a state"
    for key in ("critical", "sensitive"):
        if before[key] and not after[key]:
            yield f"{name} is {key} no more"
    yield from _kind(before["kind"], after["kind"], name)


_LOWER, _UPPER = {"low", "min_length", "min_rows"}, {"high", "max_length", "max_rows", "max_bytes", "places"}


def _kind(before: Json, after: Json, name: str) -> Iterator[str]:
    if before["word"] != after["word"]:
        yield f"{name} is of another kind"
        return
    for key in before:
        one, other = before[key], after[key]
        if one == other:
            continue
        if key in _LOWER | _UPPER:
            if other == "" or (one != "" and (Decimal(other) < Decimal(one)) == (key in _LOWER)):
                yield f"{name}.{key} is wider"
        elif key in ("choices", "types", "allowed"):
            if not other or (one and not set(other) <= set(one)):
                yield f"{name}.{key} is wider"
        elif (key == "pattern" and not one) or (key == "not_past" and other):
            continue
        elif key == "columns" and one.keys() == other.keys():
            for column in one:
                if one[column]["required"] and not other[column]["required"]:
                    yield f"{name}.{column} is optional"
                yield from _kind(one[column]["kind"], other[column]["kind"], f"{name}.{column}")
        else:
            yield f"{name}.{key} is another"


# --- patches -------------------------------------------------------------------------------------

ROLES = ("QA", "AUT", "ANL", "REV", "ADM", "OPR", "SVC", "*", "ZZZ")
MEANINGS = ("witnessed", "verified", "approved", "reviewed", "acknowledged", "waived", "site_seen")


def guards(declared: w.Type) -> st.SearchStrategy[Json]:
    """Return conditions over a type's own fields, some of them about nothing."""
    fields = sorted(declared.fields)
    path = st.sampled_from([*fields, "site_a", "site_b", "nowhere"]).map(lambda f: [f])
    compare = st.fixed_dictionaries(
        {"word": st.just("Compare"), "path": path, "op": st.sampled_from(["eq", "ne", "present", "absent"]),
         "value": st.sampled_from(["a", "x", 3, True])},
        optional={"message": st.sampled_from(["Say it.", "{what} is needed.", "{0.__class__}", "{"])},
    )  # fmt: skip
    plain = st.one_of(
        compare,
        st.fixed_dictionaries({"word": st.just("NotOnHold"), "path": st.just([])}),
        st.fixed_dictionaries(
            {"word": st.just("Signed"), "meaning": st.sampled_from(MEANINGS), "path": st.just([])}
        ),
        st.fixed_dictionaries(
            {"word": st.just("InState"), "path": st.just([]),
             "states": st.lists(st.sampled_from([s.name for s in declared.states]), max_size=2)}
        ),
    )  # fmt: skip
    when = st.fixed_dictionaries(
        {"word": st.just("When"), "condition": compare, "then": st.lists(plain, max_size=2)}
    )
    return st.one_of(plain, when)


def steps(declared: w.Type) -> st.SearchStrategy[Json]:
    """Return single steps on a type: most of them sensible, some an attempt to loosen."""
    states = st.lists(st.sampled_from([s.name for s in declared.states]), min_size=1, max_size=2)
    act = st.sampled_from(["create", "edit", "gone", *(t.name for t in declared.transitions)])
    field = st.sampled_from([*sorted(declared.fields), "site_a", "site_b", "gone"])
    columns = [
        f"{n}.{c}" for n, f in declared.fields.items() if isinstance(f.kind, w.Table) for c in f.kind.columns
    ]
    roles = st.lists(st.sampled_from(ROLES), max_size=3)
    persons = st.lists(st.sampled_from([*sorted(declared.persons), "gone"]), max_size=2)
    enums = [f.kind for f in declared.fields.values() if isinstance(f.kind, w.Enum)]
    choices = sorted({choice for enum in enums for choice in enum.choices})
    number = st.integers(-5, 300)
    kinds = st.sampled_from([
        {"word": "Text", "max_length": 20}, {"word": "Int", "low": 0, "high": 5}, {"word": "Bool"},
        {"word": "Enum", "choices": ["a", "b"]}, {"word": "Date"}, {"word": "Decimal", "low": "0.5"},
        {"word": "Table", "columns": {"x": {"kind": {"word": "Text"}}}},
    ])  # fmt: skip

    def step(word: str, more: Json | None = None, **parts: st.SearchStrategy[Any]) -> Any:
        return st.fixed_dictionaries({"word": st.just(word), **parts}, optional=more or {})

    return st.one_of(
        step("add_field", {"required_at": states, "immutable_at": states, "critical": st.booleans()},
             name=st.sampled_from(["site_a", "site_b", "site_", "title", *sorted(declared.fields)[:2]]),
             kind=kinds, label=st.sampled_from(["Room", "", "Ro\u202eom"])),
        step("add_guard", act=act, guard=guards(declared)),
        step("raise_reason", act=act, minimum=number),
        step("require_at", field=field, states=states),
        step("narrow", {
            "max_length": number, "min_length": number, "low": st.one_of(number, number.map(str)),
            "high": st.one_of(number, number.map(str)), "max_rows": number, "min_rows": number,
            "choices": st.lists(st.sampled_from([*choices, "wider"]), max_size=3), "required": st.booleans(),
            "not_past": st.booleans(), "pattern": st.sampled_from(["[a-z]*", "(a+)+", "["]),
        }, field=st.sampled_from([*sorted(declared.fields), *columns, "gone"])),
        step("separate", act=act, persons=persons),
        step("ask_signature", {"roles": roles, "independent_of": persons}, act=act,
             meaning=st.sampled_from(MEANINGS), text=st.just("I have seen it.")),
        step("forbid_delegation", act=act),
        step("mark_critical", field=field),
        step("fix_field", field=field, states=states),
        step("add_summary", fields=st.lists(field, max_size=2)),
        step("narrow_who", act=act, who=roles),
        step("narrow_signers", act=act, roles=roles),
    )  # fmt: skip
