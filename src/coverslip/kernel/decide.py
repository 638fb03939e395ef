"""Decide: from a change and the facts to what would be written, or to a refusal.

Rules kept here:

* Pure: no store, no clock, no randomness but new ids handed in. Same change, same facts, same
  answer.
* Versions of one document stay on one side of the sandbox's fence: nobody takes the next number of a
  regulated one by trying something out.
* Order: authority, sequence, hold, independence, guards, content. Consequences pass the same
  guards as any act; only who may ask is not asked, because nobody asks for them.
* A decision names everything it looked at, so that the store can check it again under lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from coverslip.errors import Conflict, EnvironmentFault, Invalid, Refused
from coverslip.kernel import authority, guards, roles, words as w
from coverslip.kernel.clock import people_time
from coverslip.kernel.content import Normaliser, Problem, clean_reason, raise_problems
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.drafts import (
    Created as Created,
    Draft as Draft,
    Ids as Ids,
    Request as Request,
    expand,
    title_of,
)
from coverslip.kernel.effects import Effects, acted
from coverslip.kernel.facts import SELF, Facts, is_children, linked_uids
from coverslip.kernel.making import require_next
from coverslip.kernel.occurring import occurred
from coverslip.kernel.patches import PREFIX
from coverslip.kernel.rows import Authority, Row

_REASONLESS = ("asdf", "test", "none", "n/a", "na", "reason", "because", "update", "change", "xxx")
MACHINES = ("device", "service")


@dataclass(frozen=True)
class Decision:
    """What would be written, and what was looked at.

    ``reads`` are (type, uid, seq) of rows to compare under lock; ``scopes`` (key, counter) of
    what was counted, the counter ``None`` where this act only changes what others count. ``creates``
    are records to make once the entries they link to have a hash. ``delegation``: by which the role is
    another's.
    """

    primary: Draft
    consequences: tuple[Draft, ...]
    creates: tuple[Created, ...]
    reads: tuple[tuple[str, str, int], ...]
    scopes: tuple[tuple[int, int | None], ...]
    role: str
    signature: w.Signature | None
    delegation: Authority | None = None


def decide(request: Request, facts: Facts) -> Decision:
    """Return the decision, or raise the refusal (``Refused``, ``Invalid``, ``Conflict``)."""
    authority.require_account(facts, request.context.person)
    act = request.change.act
    found = request.definition.acts.get(act)
    enrolling = found is not None and found.signature and found.signature.stage == "before_verification"
    if not enrolling:
        authority.require_verified(facts, request.context.person)
    if act == "create":
        return _Deciding(request, facts).create()
    if facts.record is None:
        raise EnvironmentFault(
            "ENVIRONMENT", what="the facts", expected="a record", found="none", remedy="Try again."
        )
    return _Deciding(request, facts).edit() if act == "edit" else _Deciding(request, facts).transition()


def check_reason(text: str, minimum: int, record: str) -> str:
    """Return the reason, trimmed; refuse one that is too short or says nothing (P11-10-e.7)."""
    reason = " ".join(clean_reason(text, record).split())
    letters = {c for c in reason.casefold() if c.isalnum()}
    if len(reason) < minimum or len(letters) < 4 or reason.casefold() in _REASONLESS:
        raise Invalid("REASON", record=record, n=minimum, text=reason[:60])
    return reason


class _Deciding:
    def __init__(self, request: Request, facts: Facts) -> None:
        self.request, self.facts = request, facts
        self.definition, self.type = request.definition, request.definition.type
        self.change, self.person = request.change, request.context.person
        self.machine = request.context.auth in MACHINES
        self.record = facts.record
        self.label = self.record.label if self.record else self.type.title.lower()
        self.sandbox = self._is_sandbox()
        self.delegation: Authority | None = None
        """By which the actor's role is another's, once the role is known."""
        if self.record is None or self.record.uid != self.person:
            authority.require_writer(self.facts, self.person, self.label, self.change.act)

    @property
    def people(self) -> tuple[str, ...]:
        """Who acts, then for whom: both count as having done it."""
        if self.delegation is None:
            return (self.person,)
        return (self.person, str(self.delegation.data["behalf"]))

    # --- acts ----------------------------------------------------------------------------------

    def create(self) -> Decision:
        making = self.type.create
        if making.consequence and not making.who:
            raise Refused(
                "SEQ_STATE",
                record=self.label,
                state="made only by another act",
                action="create",
                states="that act",
            )
        role = self._role(making.who, "create", making.signature)
        if self.request.previous is not None:
            require_next(self.definition, self.request.previous, sandbox=self.sandbox)
        fields = self._fields({}, None, making.state)
        content = self._content(None, making.state, fields, "create", True, making.signature)
        return self._finish(content, making.requires, making.effects, making.signature, role, making.reason)

    def edit(self) -> Decision:
        row, editing = self._row(), self.type.edit
        self._require_version(row)
        if editing is None or row.state not in editing.states:
            raise Refused("LOCKED", record=row.number, v=row.revision or row.version, state=row.state)
        role = self._who(editing.who, editing.persons, "edit", row)
        self._require_no_hold(row, "edit")
        fields = self._fields(row.fields, None, row.state)
        if fields == row.fields:
            raise Invalid(
                "VAL_FORM",
                record=row.label,
                field="the change",
                expected="at least one new value",
                found="what is already there",
            )
        content = self._content(row, row.state, fields, "edit", True, None)
        return self._finish(content, editing.requires, (), None, role, editing.reason)

    def transition(self) -> Decision:
        row = self._row()
        found = self.definition.acts.get(self.change.act)
        if found is None or found.consequence:
            raise Refused(
                "SEQ_STATE",
                record=row.label,
                state=row.state,
                action=self.change.act,
                states="another act" if found else "no state: the act does not exist",
            )
        self._require_version(row)
        role = self._who(found.who, found.persons, found.label.lower(), row, found.signature)
        self._require_state(found, row)
        if not found.stops and not found.to.startswith(("reject", "abort", "fail", "cancel")):
            self._require_no_hold(row, found.label.lower())
        if not self.sandbox:
            names = (*found.independent_of, *(found.signature.independent_of if found.signature else ()))
            authority.require_independence(
                self.definition, names, self.facts, self.people, found.label, row.label
            )
        fields = self._fields(row.fields, found.fields, found.to or row.state)
        content = self._content(
            row,
            found.to or row.state,
            fields,
            found.name,
            found.touches or self._gives(found),
            found.signature,
        )
        return self._finish(content, found.requires, found.effects, found.signature, role, found.reason)

    def _gives(self, found: w.Transition) -> bool:
        """Whether the act changes content. Where a site lets a field be given, only if something is given."""
        return bool(self.change.fields) or any(not name.startswith(PREFIX) for name in found.fields)

    # --- who -----------------------------------------------------------------------------------

    def _role(self, who: tuple[str, ...], action: str, signature: w.Signature | None = None) -> str:
        if self.sandbox and not self.machine:
            return self._role_in_sandbox()
        # One role both acts and signs, where the declaration lets one do both.
        signing = signature.roles if signature else ()
        wanted = tuple(r for r in who if r in signing) or who
        delegated = signature is None or signature.delegable
        role = authority.require_role(
            self.facts, self.person, wanted, action, self.label, delegated=delegated
        )
        if signing and role not in signing:
            role = authority.require_role(
                self.facts, self.person, signing, action, self.label, delegated=delegated
            )
        self.delegation = authority.behalf_of(self.facts, self.person, role)
        return role

    def _role_in_sandbox(self) -> str:
        held = authority.roles_held(self.facts, self.person)
        if not held:
            raise Refused(
                "AUTH_ROLE", record=self.label, role="any role", action=self.change.act, roles="none"
            )
        return sorted(held)[0]

    def _who(
        self,
        who: tuple[str, ...],
        people: tuple[str, ...],
        action: str,
        row: Row,
        signature: w.Signature | None = None,
    ) -> str:
        for name in people:
            if self.person in authority.persons(self.definition, name, self.facts, SELF, row):
                return name
        if people and not who:
            raise Refused(
                "AUTH_ROLE",
                record=row.label,
                role=roles.any_of(people),
                action=action,
                roles=roles.all_of(authority.roles_held(self.facts, self.person)),
            )
        return self._role(who, action, signature)

    # --- sequence ------------------------------------------------------------------------------

    def _row(self) -> Row:
        assert self.record is not None  # noqa: S101 -- decide() refuses before
        return self.record

    def _require_version(self, row: Row) -> None:
        expected = self.change.expected_version
        if expected is None and not self.machine:
            raise Invalid(
                "VAL_REQ", record=row.label, field="expected_version", state="an existing record is changed"
            )
        if expected is not None and expected != row.version:
            raise Conflict("SIG_STALE", record=row.label, time=people_time(row.changed_at, ""), v=row.version)

    def _require_no_hold(self, row: Row, action: str) -> None:
        if row.blockers:
            hold = row.blockers[0]
            raise Refused("HOLD", record=row.label, hold=hold.number, reason=hold.reason, action=action)

    def _require_state(self, found: w.Transition, row: Row) -> None:
        allowed = expand(self.definition, found.from_)
        if row.state in allowed:
            return
        if self.definition.state(row.state).terminal and found.fields:
            raise Refused("LOCKED", record=row.number, v=row.revision or row.version, state=row.state)
        raise Refused(
            "SEQ_STATE",
            record=row.label,
            state=row.state,
            action=found.label.lower(),
            states=" or ".join(allowed),
            allowed=list(allowed),
        )

    # --- content -------------------------------------------------------------------------------

    def _fields(self, base: dict[str, Any], permitted: tuple[str, ...] | None, state: str) -> dict[str, Any]:
        """Return the fields after the act; ``permitted`` restricts which may be given (None: by source)."""
        normalise = Normaliser(
            self.request.catalogue,
            self.definition,
            self.request.found,
            today=self.facts.today,
            sandbox=self.sandbox,
        )
        fields = dict(base)
        for name, value in self.change.fields.items():
            self._require_settable(name, permitted, normalise)
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = normalise.field(name, value)
            self._require_mutable(name, base, fields, normalise)
        self._defaults(fields)
        normalise.problems += self._missing(fields, state)
        raise_problems(normalise.problems, self.label)
        return fields

    def _require_settable(self, name: str, permitted: tuple[str, ...] | None, normalise: Normaliser) -> None:
        declared = self.type.fields.get(name)
        if declared is None:
            return
        if permitted is not None and name not in permitted:
            normalise.problems.append(
                Problem("VAL_FORM", name, {"expected": "left as it is in this act", "found": "a value"})
            )
        elif declared.source != "typed" and self.request.context.auth != "service":
            normalise.problems.append(
                Problem(
                    "VAL_FORM", name, {"expected": f"filled by {declared.source}", "found": "a typed value"}
                )
            )

    def _require_mutable(
        self, name: str, base: dict[str, Any], after: dict[str, Any], normalise: Normaliser
    ) -> None:
        declared = self.type.fields.get(name)
        if declared is None or self.record is None or normalise.problems:
            return
        if self.record.state in declared.immutable_at and base.get(name) != after.get(name):
            raise Refused(
                "LOCKED",
                record=self.record.number,
                v=self.record.revision or self.record.version,
                state=f"{self.record.state}, so '{declared.label}' is fixed",
            )

    def _defaults(self, fields: dict[str, Any]) -> None:
        if self.record is None:
            for name, declared in self.type.fields.items():
                if declared.default is not None:
                    fields.setdefault(name, declared.default)

    def _missing(self, fields: dict[str, Any], state: str) -> list[Problem]:
        filled = {e.field for e in self._effects() if isinstance(e, w.Set | w.Append | w.Compute | w.Gather)}
        return self._absent(fields, state, filled)

    def _absent(self, fields: dict[str, Any], state: str, filled: Collection[str] = ()) -> list[Problem]:
        return [
            Problem("VAL_REQ", name, {"state": state.replace("_", " "), "label": declared.label})
            for name, declared in self.type.fields.items()
            if name not in fields
            and name not in filled
            and (declared.required or state in declared.required_at)
        ]

    def _effects(self) -> tuple[w.Effect, ...]:
        if self.change.act == "create":
            return self.type.create.effects
        found = self.definition.acts.get(self.change.act)
        return found.effects if found else ()

    def _content(
        self,
        row: Row | None,
        state: str,
        fields: dict[str, Any],
        act: str,
        touches: bool,
        signature: w.Signature | None,
    ) -> dict[str, Any]:
        if row is not None:
            content = dict(row.content)
        else:
            content = {
                "type": self.type.name,
                "number": self.request.ids.number,
                "gxp": self._gxp(),
                "created_at": self.facts.now,
                "created_by": self.person,
            }
            if self.type.revisions:
                content["revision"] = (self.request.previous.revision if self.request.previous else 0) + 1
            if self.sandbox:
                content["sandbox"] = True
        names = (
            act,
            *(("touched",) if touches else ()),
            *((f"signed_{signature.meaning}",) if signature else ()),
        )
        found = self.definition.acts.get(act)
        clears = found.clears if found else ()
        people = acted(row.people if row else {}, names, self.people, clears)
        content |= self._when_it_happened(content)
        content |= {"state": state, "fields": fields, "people": people, "title": title_of(self.type, fields)}
        return content

    def _when_it_happened(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return when the act happened where that is not now; more than 15 minutes ago is a late entry."""
        content.pop("occurred_at", None)
        content.pop("late", None)
        if not self.change.occurred_at:
            return {}
        at = occurred(self.change.occurred_at, self.facts.now, self.label)
        if not at.late:
            return {"occurred_at": at.text}
        check_reason(self.change.reason, w.Reason().minimum, self.label)
        return {"occurred_at": at.text, "late": True}

    def _gxp(self) -> str:
        return "none" if self.sandbox else self.type.gxp

    def _is_sandbox(self) -> bool:
        if self.record is not None:
            return bool(self.record.content.get("sandbox"))
        mark = self.type.sandbox
        if mark is None:
            return False
        if not mark.path:
            return bool(self.change.fields.get(mark.field) == mark.value)
        rows = self.facts.rows("/".join((SELF, *mark.path)))
        return any(r.content.get("sandbox") or r.fields.get(mark.field) == mark.value for r in rows)

    # --- the rest ------------------------------------------------------------------------------

    def _finish(
        self,
        content: dict[str, Any],
        requires: tuple[w.Guard, ...],
        effects: tuple[w.Effect, ...],
        signature: w.Signature | None,
        role: str,
        reason: w.Reason | None,
    ) -> Decision:
        row = self.record
        text = (
            check_reason(self.change.reason, reason.minimum, self.label)
            if reason
            else clean_reason(self.change.reason, self.label)
        )
        draft = Draft(
            self.definition,
            row.uid if row else self.request.ids.uid,
            self.change.act,
            row.version + 1 if row else 1,
            row,
            content,
            text,
            signature=None if self.sandbox else signature,
        )
        # What was gathered for this act is part of what it leaves, so its guards see it.
        seen = content["fields"] | {
            e.field: self.request.gathered[e.field] for e in effects if isinstance(e, w.Gather)
        }
        scene = guards.Scene(
            self.request.catalogue,
            self.facts,
            SELF,
            row,
            seen,
            self.person,
            self.change.act,
            self.sandbox,
            "".join(self.people[1:]),
        )
        asked = () if self.sandbox else requires
        guards.raise_unmet(guards.unmet(asked, scene), self.label, self.change.act.replace("_", " "))
        outcome = Effects(self.request, self.facts, self.people)
        draft = outcome.apply(draft, effects, SELF)
        # What effects were to fill may still be absent, where they found nothing: it is required even so.
        raise_problems(self._absent(draft.fields, draft.state), self.label)
        return self._decision(draft, outcome, role)

    def _decision(self, draft: Draft, outcome: Effects, role: str) -> Decision:
        bases = [d.base for d in (draft, *outcome.drafts) if d.base is not None]
        previous = [] if self.request.previous is None else [self.request.previous]
        reads, counted = _looked_at(self.facts, [*self.request.found.values(), *previous, *bases])
        drafts = [draft, *outcome.drafts, *(c.draft for c in outcome.creates)]
        changed = _scopes(self.request.catalogue, drafts)
        scopes = tuple(sorted({**dict.fromkeys(changed), **counted}.items()))
        return Decision(
            draft,
            tuple(outcome.drafts),
            tuple(outcome.creates),
            reads,
            scopes,
            role,
            draft.signature,
            self.delegation,
        )


def _looked_at(facts: Facts, others: list[Row]) -> tuple[tuple[tuple[str, str, int], ...], dict[int, int]]:
    """Return the rows looked at, and the counter of every scope counted.

    ``others`` are the rows links name and those to be written: a hold moves their counter and not
    their version, so that the version alone would not show it.
    """
    rows = [*others, *facts.documents]
    counted: dict[int, int] = {}
    for name, found in facts.reads.items():
        if not is_children(name):
            rows += found
            continue
        base, _, child = name.rpartition("<")
        kind, _, child_field = child.partition(".")
        for target in facts.rows(base):
            key = scope_key(kind, child_field, target.uid)
            counted[key] = facts.scopes.get(str(key), 0)
    # A row read twice counts as it was first seen: what was decided from it then must still hold.
    reads: dict[tuple[str, str], int] = {}
    for row in rows:
        key_of = (row.type, row.uid)
        reads[key_of] = min(row.seq, reads.get(key_of, row.seq))
    return tuple(sorted((t, u, s) for (t, u), s in reads.items())), counted


def scope_key(child: str, child_field: str, target: str) -> int:
    """Return the advisory lock key of "records of ``child`` whose ``child_field`` links to ``target``"."""
    digest = hashlib.sha256(f"{child}.{child_field}>{target}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _scopes(catalogue: Catalogue, drafts: list[Draft]) -> set[int]:
    """Return the scopes whose counted records these drafts change.

    What only counts looks at state and link; a change that leaves both as they were waits for nobody.
    """
    keys: set[int] = set()
    for draft in drafts:
        for child, child_field in catalogue.counted:
            if child != draft.definition.name:
                continue
            after = linked_uids(draft.fields, child_field)
            before = linked_uids(draft.base.fields, child_field) if draft.base else set()
            same = draft.base is not None and draft.base.state == draft.state and before == after
            if same and (child, child_field) not in catalogue.read_whole:
                continue
            # What a record no longer links to counts one less.
            keys |= {scope_key(child, child_field, uid) for uid in before | after}
    return keys
