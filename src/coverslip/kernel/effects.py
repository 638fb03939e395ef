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
from coverslip.kernel import guards
from coverslip.kernel import words as w
from coverslip.kernel.drafts import Draft, Request, expand, title_of
from coverslip.kernel.facts import Facts
from coverslip.kernel.rows import Row


class Effects:
    """Applies effects; collects the drafts of consequences in the order they will be written."""

    def __init__(self, request: Request, facts: Facts, person: str) -> None:
        self._request, self._facts, self._person = request, facts, person
        self.drafts: list[Draft] = []
        self.creates: list[tuple[w.Create, Draft]] = []
        self._seen: set[str] = set()

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
            self._request.catalogue, self._facts, base, draft.base, draft.fields, self._person, draft.act
        )

    def _own(self, draft: Draft, effect: w.Effect, base: str) -> Draft:
        if isinstance(effect, w.Set):
            value = self._value(effect.value, draft, base)
            return draft if value is None else _with_field(draft, effect.field, value)
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
        sources: dict[str, Callable[[], Any]] = {
            "literal": lambda: value.literal,
            "actor": lambda: self._actor_link(),
            "now": lambda: self._facts.now,
            "today": lambda: self._facts.today,
            "path": lambda: next(iter(self._scene(draft, base).values(value.path)), None),
        }
        return sources[value.of]()

    def _actor_link(self) -> dict[str, str]:
        row = next(
            a for a in self._facts.authority if a.person == self._person and a.kind in ("account", "device")
        )
        return {
            "type": str(row.data.get("type", "")),
            "uid": self._person,
            "number": str(row.data.get("number", "")),
        }

    def _other(self, draft: Draft, effect: w.Effect, base: str) -> None:
        if isinstance(effect, w.Do):
            name = "/".join((base, *effect.path))
            for row in self._facts.rows(name):
                self._do(row, effect, name, sandbox=bool(draft.content.get("sandbox")))
        elif isinstance(effect, w.Supersede) and draft.revision > 1:
            for row in self._facts.rows("effective"):
                if row.uid != draft.uid and row.state in draft.definition.effective_states:
                    sandbox = bool(draft.content.get("sandbox"))
                    self._do(row, w.Do((), effect.act), "effective", sandbox=sandbox)
        elif isinstance(effect, w.Create):
            self.creates.append((effect, self._created(draft, effect, base)))

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
        if row.blockers:
            raise Refused(
                "HOLD",
                record=row.label,
                hold=row.blockers[0].number,
                reason=row.blockers[0].reason,
                action=found.label.lower(),
            )
        people = {k: list(v) for k, v in row.people.items()}
        people[found.name] = sorted({*people.get(found.name, ()), self._person})
        content = {**row.content, "state": found.to or row.state, "people": people}
        draft = Draft(definition, row.uid, found.name, row.version + 1, row, content)
        guards.raise_unmet(
            guards.unmet(found.requires, self._scene(draft, name)), row.label, found.label.lower()
        )
        self.drafts.append(self.apply(draft, found.effects, name))

    def _created(self, draft: Draft, effect: w.Create, base: str) -> Draft:
        definition = self._request.catalogue[effect.type]
        uid, number = self._request.ids.created[effect.type]
        given = {n: self._value(v, draft, base) for n, v in effect.values.items()}
        fields = {n: v for n, v in given.items() if v is not None}
        for name, declared in definition.type.fields.items():
            if declared.default is not None:
                fields.setdefault(name, declared.default)
        sandbox = bool(draft.content.get("sandbox"))
        content: dict[str, Any] = {
            "type": effect.type,
            "number": number,
            "gxp": "none" if sandbox else definition.type.gxp,
            "created_at": self._facts.now,
            "created_by": self._person,
            "state": definition.type.create.state,
            "fields": fields,
            "people": {"create": [self._person]},
            "title": draft.number,
        }
        if sandbox:
            content["sandbox"] = True
        return Draft(definition, uid, "create", 1, None, content)


def _with_field(draft: Draft, name: str, value: Any) -> Draft:
    fields = {**draft.fields, name: value}
    content = {**draft.content, "fields": fields, "title": title_of(draft.definition.type, fields)}
    return replace(draft, content=content)
