"""Effects: what an act does beside itself, on its own record and on others (DOMAIN 2.5).

Rules kept here:

* Own effects first, in declared order; then consequences, which are written after the act.
* A consequence passes the guards of its own act; one record takes at most one act in a command.
* What happens in a sandbox changes sandbox records only: its acts are asked for fewer things.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from coverslip.errors import EnvironmentFault, Refused
from coverslip.kernel import guards, words as w
from coverslip.kernel.drafts import Created, Draft, Request, expand, title_of
from coverslip.kernel.facts import (
    EFFECTIVE,
    SELF,
    Facts,
    children_name,
    in_force_of,
    narrowed,
    newest_of,
    one_of,
)
from coverslip.kernel.making import Maker
from coverslip.kernel.rows import Row

MOST_MADE = 5_000
MOST_READ = 10_000
"""What the store returns of the records that link somewhere; where there may be more, nothing is done."""


class Effects:
    """Applies effects; collects the drafts of consequences in the order they will be written."""

    def __init__(self, request: Request, facts: Facts, people: tuple[str, ...]) -> None:
        """``people``: the actor first, then the person acted for, where there is one."""
        self._request, self._facts, self._people = request, facts, people
        self.drafts: list[Draft] = []
        self.creates: list[Created] = []
        self._seen: set[str] = set()
        self._maker = Maker(request, facts, people)

    def apply(self, draft: Draft, effects: tuple[w.Effect, ...], base: str) -> Draft:
        """Return the draft with its own effects applied; consequences go to ``drafts``."""
        if draft.uid in self._seen:
            raise EnvironmentFault(
                "ENVIRONMENT",
                what=f"the effects of {draft.act}",
                expected="one act per record",
                found=f"two on {draft.number}",
                remedy="Correct the declaration.",
            )
        self._seen.add(draft.uid)
        for effect in effects:
            draft = self._own(draft, effect, base)
        for effect in effects:
            self._other(draft, effect, base)
        return draft

    def _scene(self, draft: Draft, base: str) -> guards.Scene:
        return guards.Scene(
            self._request.catalogue,
            self._facts,
            base,
            draft.base,
            draft.fields,
            self._people[0],
            draft.act,
            bool(draft.content.get("sandbox")),
            "".join(self._people[1:]),
        )

    # --- on the record itself ------------------------------------------------------------------

    def _own(self, draft: Draft, effect: w.Effect, base: str) -> Draft:
        if isinstance(effect, w.Set):
            value = self._value(effect.value, draft, base)
            return draft if value is None else _with_field(draft, effect.field, value)
        if isinstance(effect, w.Append):
            found = {column: self._value(v, draft, base) for column, v in effect.row.items()}
            row = {column: value for column, value in found.items() if value is not None}
            _require_room(draft, effect.field)
            return _with_field(draft, effect.field, [*draft.fields.get(effect.field, ()), row])
        if isinstance(effect, w.Compute):
            value = guards.ask_rule(effect.rule, self._scene(draft, base))
            return draft if value is None else _with_field(draft, effect.field, value)
        if isinstance(effect, w.Gather):
            return _with_field(draft, effect.field, self._request.gathered[effect.field])
        if isinstance(effect, w.Snapshot):
            rows = self._scene(draft, base).rows(effect.path)
            if rows:
                copy = {"link": rows[0].link(), "content": rows[0].content}
                return replace(draft, snapshot={**(draft.snapshot or {}), effect.name: copy})
        return draft

    def _value(self, value: w.Value, draft: Draft, base: str) -> Any:
        scene = self._scene(draft, base)
        sources: dict[str, Callable[[], Any]] = {
            "literal": lambda: value.literal,
            "actor": self._maker.actor_link,
            "now": lambda: self._facts.now,
            "today": lambda: self._facts.today,
            "path": lambda: next(iter(scene.values(value.path)), None),
            "self": lambda: draft.as_row().link(pinned=False),
        }
        return guards.dated(value, sources[value.of](), scene)

    # --- on other records ----------------------------------------------------------------------

    def _other(self, draft: Draft, effect: w.Effect, base: str) -> None:
        sandbox = bool(draft.content.get("sandbox"))
        if isinstance(effect, w.Do):
            name = "/".join((base, *effect.path))
            rows = self._facts.rows(name)
            for row in rows:
                if len(rows) == 1:
                    self._do(row, effect, name, sandbox=sandbox)
                else:
                    self._do_alone(row, effect, name, sandbox=sandbox)
        elif isinstance(effect, w.DoEach):
            self._do_each(draft, effect, base)
        elif isinstance(effect, w.Supersede) and draft.revision > 1:
            name = EFFECTIVE if base == SELF else in_force_of(base)
            for row in self._facts.rows(name):
                same = row.number == draft.number and row.uid != draft.uid
                if same and row.state in draft.definition.effective_states:
                    self._do_alone(row, w.Do((), effect.act), name, sandbox=sandbox)
        elif isinstance(effect, w.Create):
            self._create(draft, effect, base)

    def _do_each(self, draft: Draft, effect: w.DoEach, base: str) -> None:
        name = children_name("/".join((base, *effect.path)), effect.type, effect.field)
        definition = self._request.catalogue[effect.type]
        possible = expand(definition, definition.acts[effect.act].from_)
        sandbox = bool(draft.content.get("sandbox"))
        if len(self._facts.rows(name)) >= MOST_READ:
            raise _too_many(draft, f"fewer than {MOST_READ} records of {effect.type}", f"{MOST_READ} or more")
        for row in self._facts.rows(name):
            if row.state in possible and row.uid != draft.uid:
                self._do_alone(row, w.Do((), effect.act), name, sandbox=sandbox)

    def _do_alone(self, row: Row, effect: w.Do, name: str, *, sandbox: bool) -> None:
        """Do the act on one of many, asked about nothing but what is its own."""
        everything = self._facts
        self._facts = narrowed(everything, name, row)
        self._do(row, effect, one_of(name, row), sandbox=sandbox)
        self._facts = everything

    def _do(self, row: Row, effect: w.Do, name: str, *, sandbox: bool) -> None:
        definition = self._request.catalogue[row.type]
        found = definition.acts[effect.act]
        if row.state in effect.unless:
            return
        if sandbox and not row.content.get("sandbox"):
            raise Refused(
                "SEQ_PRE",
                record=row.label,
                action=found.label.lower(),
                conditions=f"{row.label} is a sandbox record, as the one that asks for this act",
            )
        if row.state not in expand(definition, found.from_):
            raise Refused(
                "SEQ_STATE",
                record=row.label,
                state=row.state,
                action=found.label.lower(),
                states=" or ".join(found.from_),
            )
        if row.blockers and not found.stops:
            raise Refused(
                "HOLD",
                record=row.label,
                hold=row.blockers[0].number,
                reason=row.blockers[0].reason,
                action=found.label.lower(),
            )
        people = acted(row.people, (found.name,), self._people, found.clears)
        content = {**row.content, "state": found.to or row.state, "people": people}
        content.pop("occurred_at", None)
        content.pop("late", None)
        draft = Draft(definition, row.uid, found.name, row.version + 1, row, content)
        guards.raise_unmet(
            guards.unmet(found.requires, self._scene(draft, name)), row.label, found.label.lower()
        )
        self.drafts.append(self.apply(draft, found.effects, name))

    def _create(self, draft: Draft, effect: w.Create, base: str) -> None:
        scene = self._scene(draft, base)
        if guards.unmet(effect.when, scene):
            return
        shared = {n: self._value(v, draft, base) for n, v in effect.values.items() if v.of != "self"}
        if effect.next_of:
            for row in self._facts.rows(newest_of("/".join((base, *effect.next_of)))):
                self.creates.append(self._maker.next_version(row, draft, shared, effect.without))
            return
        backward = [n for n, v in effect.values.items() if v.of == "self"]
        items = guards.ask_rule(effect.each, scene) if effect.each is not None else [{}]
        if len(items or ()) > MOST_MADE:
            raise _too_many(
                draft, f"{MOST_MADE} records of {effect.type} to make at once, at most", str(len(items))
            )
        for item in items or ():
            fields = {n: v for n, v in {**shared, **item}.items() if v is not None}
            links = tuple([effect.link, *backward] if effect.link else backward)
            self.creates.append(self._maker.make(effect.type, draft, fields, links))


def _require_room(draft: Draft, field: str) -> None:
    """Refuse a row more than the table may have."""
    kind = draft.definition.type.fields[field].kind
    if isinstance(kind, w.Table) and len(draft.fields.get(field, ())) >= kind.max_rows:
        raise _too_many(draft, f"{kind.max_rows} rows of '{field}' at most", "one more")


def _too_many(draft: Draft, expected: str, found: str) -> Refused:
    return Refused(
        "SEQ_PRE",
        record=draft.number,
        action=draft.act.replace("_", " "),
        conditions=f"there are {expected} (found {found})",
    )


def acted(
    before: dict[str, list[str]], names: tuple[str, ...], people: tuple[str, ...], clears: tuple[str, ...]
) -> dict[str, list[str]]:
    """Return who did what once ``people`` did ``names``; what is cleared is kept as ``former_…``.

    ``behalf_…`` names those for whom another did it: both count as having done it, and as one who did.
    """
    found = {k: list(v) for k, v in before.items()}
    for cleared in clears:
        for key in (f"signed_{cleared}", cleared, f"behalf_signed_{cleared}", f"behalf_{cleared}"):
            if key in found:
                former = found.setdefault(f"former_{key}", [])
                former += [p for p in found.pop(key) if p not in former]
    for name in names:
        known = found.setdefault(name, [])
        known += [p for p in people if p not in known]
        if people[1:]:
            lent = found.setdefault(f"behalf_{name}", [])
            lent += [p for p in people[1:] if p not in lent]
    return found


def _with_field(draft: Draft, name: str, value: Any) -> Draft:
    fields = {**draft.fields, name: value}
    content = {**draft.content, "fields": fields, "title": title_of(draft.definition.type, fields)}
    return replace(draft, content=content)
