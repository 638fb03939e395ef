"""The page of record types: what each is for, who may do what, what is signed, and what follows."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from coverslip.kernel import words as w
from coverslip.kernel.definition import guards_of
from coverslip.records import all_types

HEAD = """\
# Record types

Written by `make docs` from the declarations in `src/coverslip/records`; change it there.

Every type has the same trail, the same signatures and the same exports. An act in *italics* happens only as
the consequence of another, or on its day. *Not the same person as* is judged by person, delegates and those
they act for included. What is asked is shown beside an act before it is done, and is the sentence of its
refusal.
"""


def records_page() -> str:
    """Return the text of ``docs/reference/records.md``: folders, and types in the order of their titles."""
    folders: dict[str, list[w.Type]] = {}
    for declared in all_types():
        folders.setdefault(_FOLDER[declared.name], []).append(declared)
    parts = [HEAD]
    for folder, types in folders.items():
        parts.append(f"## {folder.capitalize()}\n")
        parts += ["\n".join(_type(one)) + "\n" for one in sorted(types, key=lambda t: t.title)]
    return "\n".join(parts)


def _folders() -> Mapping[str, str]:
    return {
        module.TYPE.name: name.split(".")[2]
        for name, module in sorted(sys.modules.items())
        if name.startswith("coverslip.records.") and isinstance(getattr(module, "TYPE", None), w.Type)
    }


all_types()
_FOLDER = _folders()


def _type(t: w.Type) -> Iterator[str]:
    number = f"{t.number.prefix}-{'YYYY-' if t.number.yearly else ''}{'N' * t.number.width}"
    if t.number.code:
        number = f"{t.number.prefix}-<{t.fields[t.number.code].label}>"
    yield f"### {t.title} (`{t.name}`)"
    yield ""
    yield t.purpose
    yield ""
    yield f"- Number: `{number}`{', with versions of which at most one is in force' if t.revisions else ''}"
    yield f"- States: {' · '.join(_state(s) for s in t.states)}"
    yield f"- Kept: {_retention(t)}"
    yield f"- Rules served: {', '.join(t.predicate_rules) or 'none; not a required record'}"
    if t.due:
        yield f"- Due: {t.fields[t.due].label}"
    yield ""
    yield "| Act | From → to | Who | Signed | Asked, and what follows |"
    yield "|---|---|---|---|---|"
    yield _making(t)
    if t.edit is not None:
        who = _who(t.edit.who, t.edit.persons)
        yield f"| Edit | {', '.join(t.edit.states)} | {who} | — | {_asked(t, 'edit', t.edit.reason)} |"
    for one in t.transitions:
        yield _transition(t, one)
    yield ""
    yield "| Field | Kind | Needed | |"
    yield "|---|---|---|---|"
    for name, field in t.fields.items():
        yield f"| {field.label} (`{name}`) | {_kind(field)} | {_needed(field)} | {_notes(field)} |"


def _state(state: w.State) -> str:
    said = [n for n in ("terminal", "effective", "blocking", "voided") if getattr(state, n)]
    if state.locked and not state.terminal:
        said.append("locked")
    return (state.name + (f" ({', '.join(said)})" if said else "")).replace("_", " ")


def _retention(t: w.Type) -> str:
    if t.retention.longest_of:
        return f"as long as the longest of {'.'.join(t.retention.longest_of)}"
    return f"class {t.retention.class_ or t.retention.class_at}"


def _making(t: w.Type) -> str:
    made = t.create
    name = "*Create*" if made.consequence else "Create"
    asked = _joined(_asked(t, "create", made.reason), _follows(made.effects))
    return f"| {name} | → {made.state} | {_who(made.who, ())} | {_signed(made.signature)} | {asked} |"


def _transition(t: w.Type, one: w.Transition) -> str:
    name = f"*{one.label}*" if one.consequence or one.at else one.label
    to = one.to or "as it was"
    who = _who(one.who, one.persons) if not one.consequence else "follows from another act"
    if one.at:
        who = f"on the day of {t.fields[one.at].label}"
    apart = f"; not the same person as {', '.join(one.independent_of)}" if one.independent_of else ""
    asked = _joined(_asked(t, one.name, one.reason), _follows(one.effects))
    states = ", ".join("any open state" if s == "*live" else s for s in one.from_)
    return f"| {name} | {states} → {to} | {who}{apart} | {_signed(one.signature)} | {asked} |".replace(
        "_", " "
    )


def _who(roles: tuple[str, ...], persons: tuple[str, ...]) -> str:
    named = ["anybody with an account" if r == "*" else r for r in roles]
    return ", ".join([*named, *(f"the {p}" for p in persons)]) or "nobody"


def _signed(signature: w.Signature | None) -> str:
    if signature is None:
        return "—"
    roles = f" by {' or '.join(signature.roles)}" if signature.roles else ""
    others = ", ".join(signature.independent_of)
    apart = f", not the same person as {others}" if others else ""
    return f"*{signature.meaning}*{roles}{apart}: {_cell(signature.text)}"


def _asked(t: w.Type, act: str, reason: w.Reason | None) -> str:
    messages = [
        g.message for name, g in guards_of(t) if name == act and not isinstance(g, w.When) and g.message
    ]
    said = list(dict.fromkeys(_cell(m).rstrip(".") for m in messages))
    if reason is not None:
        said.append(f"a reason of {reason.minimum} characters or more")
    return "; ".join(said)


def _follows(effects: tuple[w.Effect, ...]) -> str:
    said = []
    for effect in effects:
        if isinstance(effect, w.Create):
            said.append(f"makes {effect.type}{' for each' if effect.each else ''}")
        elif isinstance(effect, w.Do):
            said.append(f"{'.'.join(effect.path)}: {effect.act}")
        elif isinstance(effect, w.DoEach):
            said.append(f"every {effect.type}: {effect.act}")
        elif isinstance(effect, w.Supersede):
            said.append("the version in force is superseded")
    return "→ " + ", ".join(said) if said else ""


def _joined(asked: str, follows: str) -> str:
    return _cell(" ".join(one for one in (asked, follows) if one))


def _kind(field: w.Field) -> str:
    kind = field.kind
    said = type(kind).__name__.lower()
    if isinstance(kind, w.Enum):
        said = "one of " + ", ".join(kind.choices)
    elif isinstance(kind, w.Vocab):
        said = f"one of the list {kind.name}"
    elif isinstance(kind, w.Link):
        said = (
            f"{' or '.join(kind.types) or 'any record'}{' (this version)' if kind.pin == 'version' else ''}"
        )
    elif isinstance(kind, w.Quantity):
        said = f"quantity in {kind.unit}"
    elif isinstance(kind, w.Table):
        said = "table: " + ", ".join(kind.columns)
    return _cell(said.replace("_", " ")) + (", several" if field.many else "")


def _needed(field: w.Field) -> str:
    if field.required:
        return "always"
    return ", ".join(field.required_at).replace("_", " ")


def _notes(field: w.Field) -> str:
    marks = {"critical": field.critical, "personal": field.personal, "sensitive": field.sensitive}
    said = [name for name, holds in marks.items() if holds]
    if field.source != "typed":
        said.append(field.source)
    return _cell("; ".join([*said, *([field.help] if field.help else [])]))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
