"""Refining: a record type with a site's patch applied, which asks for all it asked before and more.

Rules kept here:

* Pure, and by words: every step either adds to what is there or tightens it, and is refused otherwise with
  what was tried and why. All problems are listed at once.
* Nothing is made impossible in passing: what is asked of an act can be given with it, by somebody, so that
  records made before can be finished after. The installation's own acts are asked for nothing a person gives.
* That the result passes every load check, beside all other types, is asked by ``refined``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from coverslip.kernel import patches as p, words as w
from coverslip.kernel.definition import flatten
from coverslip.kernel.narrowing import kind_problems, narrowed
from coverslip.kernel.refinable import MACHINES, alike, fewer, meanings, sources, targets
from coverslip.kernel.rules import known

MAX_REASON = 1000
Act = w.Making | w.Editing | w.Transition


def refine(declared: w.Type, patch: Mapping[str, Any]) -> w.Type:
    """Return the type with the patch applied.

    Raises ``REFINEMENT`` listing every step that is none, loosens, contradicts or asks the impossible.
    """
    found, problems = tried(declared, patch)
    if problems:
        raise p.refused("", declared.name, problems)
    return found


def tried(declared: w.Type, patch: Mapping[str, Any]) -> tuple[w.Type, list[str]]:
    """Return the type with the steps that can be taken, and every problem of the others."""
    steps, problems = p.read(patch)
    if problems:
        return declared, problems
    found = _Refining(declared)
    for position, step in enumerate(steps, start=1):
        found.take(position, step)
    found.finish()
    return found.type, found.problems


class _Refining:
    def __init__(self, declared: w.Type) -> None:
        self.type = declared
        self.problems: list[str] = []
        self._said = ""
        self._asked: list[tuple[str, str, str, bool]] = []
        """What was asked: (step, field, state, whether the site added the field)."""

    def take(self, position: int, step: p.AnyStep) -> None:
        """Apply one step, or note why not."""
        tag = str(step.__struct_config__.tag)
        self._said = f"step {position} ({tag})"
        _TAKE[type(step)](self, step)

    def _no(self, sentence: str) -> None:
        self.problems.append(f"{self._said}: {sentence}")

    # --- finding and putting back --------------------------------------------------------------

    def _act(self, name: str) -> Act | None:
        found: dict[str, Act] = {t.name: t for t in self.type.transitions}
        found["create"] = self.type.create
        if self.type.edit is not None:
            found["edit"] = self.type.edit
        if name not in found:
            self._no(f"there is no act '{name[:60]}'{alike(name, found)}")
        return found.get(name)

    def _put(self, name: str, act: Act) -> None:
        if isinstance(act, w.Making):
            self.type = replace(self.type, create=act)
        elif isinstance(act, w.Editing):
            self.type = replace(self.type, edit=act)
        else:
            last = max(i for i, t in enumerate(self.type.transitions) if t.name == name)
            listed = self.type.transitions
            self.type = replace(self.type, transitions=(*listed[:last], act, *listed[last + 1 :]))

    def _field(self, name: str) -> w.Field | None:
        found = self.type.fields.get(name)
        if found is None:
            self._no(f"there is no field '{name[:60]}'{alike(name, self.type.fields)}")
        return found

    def _put_field(self, name: str, field: w.Field) -> None:
        self.type = replace(self.type, fields={**self.type.fields, name: field})

    def _states(self, names: tuple[str, ...]) -> bool:
        known = {s.name for s in self.type.states}
        unknown = [n for n in names if n not in known]
        for name in unknown:
            self._no(f"there is no state '{name[:60]}'{alike(name, known)}")
        if not names or len(set(names)) != len(names):
            self._no("states are named once each, at least one")
            return False
        return not unknown

    def _of_people(self, name: str, act: Act, what: str) -> bool:
        """Whether only people do the act; what people give is not asked of the installation or a device."""
        if getattr(act, "consequence", False):
            self._no(f"'{name}' happens as the effect of another act, of which {what} cannot be asked")
            return False
        if bool(MACHINES & set(act.who)) or bool(getattr(act, "at", "")):
            self._no(f"'{name}' is also done by the installation or a device, which gives no {what}")
            return False
        return True

    # --- steps ---------------------------------------------------------------------------------

    def _add_field(self, step: p.AddField) -> None:
        if not p.SITE_NAME.fullmatch(step.name) or len(step.name) > 60:
            self._no(f"'{step.name[:60]}' is no name a site may give: site_ and then a-z, 0-9, _")
            return
        if step.name in self.type.fields:
            self._no(f"'{step.name}' is there already, and a field is never replaced")
            return
        for problem in kind_problems(step.kind):
            self._no(problem)
        if step.many and isinstance(step.kind, w.Table):
            self._no("a table is a list already")
        if step.required_at and not self._states(step.required_at):
            return
        if step.immutable_at and not self._states(step.immutable_at):
            return
        made = w.Field(
            step.kind, step.label, step.help, False, step.required_at, step.immutable_at, step.many,
            critical=step.critical, sensitive=step.sensitive,
        )  # fmt: skip
        self._put_field(step.name, made)
        self._asked += [(self._said, step.name, state, True) for state in step.required_at]

    def _add_guard(self, step: p.AddGuard) -> None:
        act = self._act(step.act)
        rules = [g for g in flatten((step.guard,)) if isinstance(g, w.Rule)]
        unknown = [rule for rule in rules if not known(rule.name, rule.version)]
        for rule in unknown:
            self._no(f"there is no rule {rule.name[:60]}@{rule.version}")
        if act is not None and not unknown:
            self._put(step.act, replace(act, requires=(*act.requires, step.guard)))

    def _raise_reason(self, step: p.RaiseReason) -> None:
        act = self._act(step.act)
        if act is None or not self._of_people(step.act, act, "reason"):
            return
        before = act.reason.minimum if act.reason is not None else 0
        if not before < step.minimum <= MAX_REASON:
            self._no(f"a reason of {step.minimum} is not between {before + 1} and {MAX_REASON} characters")
            return
        self._put(step.act, replace(act, reason=w.Reason(step.minimum)))

    def _require_at(self, step: p.RequireAt) -> None:
        field = self._field(step.field)
        if field is None or not self._states(step.states):
            return
        if field.source != "typed":
            self._no(f"'{step.field}' is filled by {field.source}; nobody could be asked for it")
            return
        new = tuple(s for s in step.states if s not in field.required_at)
        if field.required or not new:
            self._no(f"'{step.field}' is required there already")
            return
        self._put_field(step.field, replace(field, required_at=(*field.required_at, *new)))
        added = step.field.startswith(p.PREFIX)
        self._asked += [(self._said, step.field, state, added) for state in new]

    def _narrow(self, step: p.Narrow) -> None:
        name, _, column = step.field.partition(".")
        field = self._field(name)
        if field is None:
            return
        if field.source != "typed":
            self._no(f"'{name}' is filled by {field.source}; a guard can ask for more, a limit cannot")
            return
        kind: w.Kind = field.kind
        spec = kind.columns.get(column) if column and isinstance(kind, w.Table) else None
        if column and spec is None:
            self._no(f"there is no column '{step.field[:80]}'")
            return
        made, problems = narrowed(spec.kind if spec else kind, step, self._literals(name) if not spec else ())
        required = step.required
        if required is not None and (spec is None or not required or spec.required):
            problems.append("'required' can only be set, on a column that is not required yet")
        for problem in problems:
            self._no(f"{step.field}: {problem}")
        if problems:
            return
        if spec is not None and isinstance(kind, w.Table):
            columns = {
                **kind.columns,
                column: replace(spec, kind=made, required=spec.required or bool(required)),
            }
            made = replace(kind, columns=columns)
        self._put_field(name, replace(field, kind=made))

    def _literals(self, name: str) -> tuple[Any, ...]:
        """Values the declaration itself gives the field; a list that no longer has them could not be kept."""
        effects = [
            *self.type.create.effects,
            *(e for t in self.type.transitions for e in t.effects),
        ]
        found: list[Any] = [
            e.value.literal
            for e in effects
            if isinstance(e, w.Set) and e.field == name and e.value.of == "literal"
        ]
        default = self.type.fields[name].default
        mark = self.type.sandbox
        if mark is not None and not mark.path and mark.field == name:
            found.append(mark.value)
        return tuple(found) + (() if default is None else (default,))

    def _separate(self, step: p.Separate) -> None:
        act = self._act(step.act)
        if act is None:
            return
        if not isinstance(act, w.Transition):
            self._no(f"'{step.act}' asks no independence; name an act after it")
            return
        if not self._of_people(step.act, act, "independence"):
            return
        already = {*act.independent_of, *(act.signature.independent_of if act.signature else ())}
        new = self._persons(step.persons)
        if not set(new) - already:
            self._no(f"'{step.act}' is independent of them already, or nobody is named")
            return
        self._put(step.act, replace(act, independent_of=(*act.independent_of, *sorted(set(new) - already))))

    def _persons(self, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in self.type.persons:
                self._no(f"there is no person '{name[:60]}'{alike(name, self.type.persons)}")
        return tuple(n for n in names if n in self.type.persons)

    def _ask_signature(self, step: p.AskSignature) -> None:
        act = self._act(step.act)
        if act is None:
            return
        if isinstance(act, w.Editing):
            self._no("an edit is not signed; what it leads to is")
            return
        if not self._of_people(step.act, act, "signature"):
            return
        if act.signature is not None:
            self._no(f"'{step.act}' is signed '{act.signature.meaning}' already, and that stays")
            return
        if step.meaning in meanings(self.type):
            # Two acts of one meaning: what asks for the other's signature would be content with this one.
            self._no(f"'{step.meaning[:60]}' already means another signature of this type")
            return
        persons = self._persons(step.independent_of)
        if persons and not isinstance(act, w.Transition):
            self._no("nobody has done anything yet whom the maker could be independent of")
            return
        if step.roles and act.who and "*" not in act.who and not set(step.roles) & set(act.who):
            self._no(f"none of {', '.join(step.roles)} may do '{step.act}', so nobody could sign it")
            return
        self._put(
            step.act,
            replace(act, signature=w.Signature(step.meaning, step.text, step.roles, persons)),
        )

    def _forbid_delegation(self, step: p.ForbidDelegation) -> None:
        act = self._act(step.act)
        signature = getattr(act, "signature", None)
        if act is None:
            return
        if isinstance(act, w.Editing) or signature is None or not signature.delegable:
            self._no(f"'{step.act}' asks no signature that a delegate may give")
            return
        self._put(step.act, replace(act, signature=replace(signature, delegable=False)))

    def _mark_critical(self, step: p.MarkCritical) -> None:
        field = self._field(step.field)
        if field is not None and field.critical:
            self._no(f"'{step.field}' is critical already")
        elif field is not None:
            self._put_field(step.field, replace(field, critical=True))

    def _fix_field(self, step: p.FixField) -> None:
        field = self._field(step.field)
        if field is None or not self._states(step.states):
            return
        new = tuple(s for s in step.states if s not in field.immutable_at)
        if not new:
            self._no(f"'{step.field}' is fixed there already")
            return
        given = [t.name for t in self.type.transitions if step.field in t.fields
                 and set(sources(self.type, t)) & set(new)]  # fmt: skip
        if given:
            self._no(f"'{step.field}' is given with {', '.join(given)}, and could not be any more")
            return
        self._put_field(step.field, replace(field, immutable_at=(*field.immutable_at, *new)))

    def _add_summary(self, step: p.AddSummary) -> None:
        new = [n for n in step.fields if self._field(n) is not None and n not in self.type.summary]
        if len(set(new)) != len(step.fields) or not new:
            self._no("each column is named once and is not shown yet")
            return
        self.type = replace(self.type, summary=(*self.type.summary, *new))

    def _narrow_who(self, step: p.NarrowWho) -> None:
        act = self._act(step.act)
        if act is None:
            return
        problem = fewer(act.who, step.who)
        if problem:
            self._no(f"'{step.act}': {problem}")
            return
        signature = getattr(act, "signature", None)
        if signature is not None and signature.roles and not set(signature.roles) & set(step.who):
            self._no(f"'{step.act}' is signed by {', '.join(signature.roles)}, none of whom could do it")
            return
        self._put(step.act, replace(act, who=step.who))

    def _narrow_signers(self, step: p.NarrowSigners) -> None:
        act = self._act(step.act)
        if act is None:
            return
        if isinstance(act, w.Editing) or act.signature is None:
            self._no(f"'{step.act}' is not signed")
            return
        problem = fewer(act.signature.roles, step.roles) if act.signature.roles else ""
        if not step.roles or (act.who and "*" not in act.who and not set(step.roles) & set(act.who)):
            problem = "nobody could sign it"
        if problem:
            self._no(f"'{step.act}': {problem}")
            return
        self._put(step.act, replace(act, signature=replace(act.signature, roles=step.roles)))

    # --- what is asked can be given ------------------------------------------------------------

    def finish(self) -> None:
        """Let what is newly asked be given with the acts that ask for it, or note that it could not be."""
        for said, field, state, added in self._asked:
            self._said = said
            acts = [t for t in self.type.transitions if not t.consequence]
            asking = [t for t in acts if state in targets(self.type, t)]
            if not asking and state != self.type.create.state:
                self._no(f"no act leads to {state} in which '{field}' could be asked")
            for act in asking:
                self._givable(act.name, field, state, added)

    def _givable(self, name: str, field: str, state: str, added: bool) -> None:
        act = next(t for t in reversed(self.type.transitions) if t.name == name)
        if (set(act.who) and set(act.who) <= MACHINES) or act.at:
            self._no(f"'{name}' leads to {state} and is done by the installation, which gives no '{field}'")
            return
        from_ = sources(self.type, act) if act.to else (state,)
        editable = set(self.type.edit.states) if self.type.edit is not None else set()
        fixed = set(self.type.fields[field].immutable_at) & set(from_)
        if field in act.fields and not fixed:
            return
        if set(from_) <= editable and not fixed:
            return
        if not added or fixed:
            why = f"it is fixed in {', '.join(sorted(fixed))}" if fixed else "an earlier state can ask for it"
            self._no(f"'{name}' leads to {state} and '{field}' cannot be given with it: {why}")
            return
        self._put(name, replace(act, fields=(*act.fields, field)))


_TAKE: Mapping[type, Callable[[_Refining, Any], None]] = {
    p.AddField: _Refining._add_field,
    p.AddGuard: _Refining._add_guard,
    p.RaiseReason: _Refining._raise_reason,
    p.RequireAt: _Refining._require_at,
    p.Narrow: _Refining._narrow,
    p.Separate: _Refining._separate,
    p.AskSignature: _Refining._ask_signature,
    p.ForbidDelegation: _Refining._forbid_delegation,
    p.MarkCritical: _Refining._mark_critical,
    p.FixField: _Refining._fix_field,
    p.AddSummary: _Refining._add_summary,
    p.NarrowWho: _Refining._narrow_who,
    p.NarrowSigners: _Refining._narrow_signers,
}
