"""A plain model of records: what their declaration says may happen to them, in a few lines of its own.

Rules kept here:

* Nothing of the kernel decides here. The model reads declarations and entries, and keeps for each record its
  state, who did what, its fields, how often it was signed and what holds it.
* A refusal must have one of the reasons the model sees, and what the model forbids must be refused. Guards
  are opaque: where nothing else forbids an act, a guard may, or a field may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from fix_people import LAPSING, TEAM, UNTRAINED
from fix_world import World

Reasons = set[str]
CODES = {
    "stale": {"SIG_STALE"},
    "state": {"SEQ_STATE", "LOCKED"},
    "role": {"AUTH_ROLE"},
    "training": {"AUTH_TRAIN"},
    "hold": {"HOLD"},
    "self": {"AUTH_SELF"},
}
"""Reason the model sees -> codes of a refusal for it."""
OPAQUE = {"SEQ_PRE", "VAL_REQ", "VAL_FORM", "VAL_RANGE", "VAL_VOCAB", "VAL_UNIT", "LINK_VER", "DUP", "REASON"}
ENDING = ("reject", "abort", "fail", "cancel")
SERVICE = "service"


@dataclass
class Lent:
    """A delegation in force: ``taker`` may act in ``role`` for ``giver`` (user names)."""

    number: str
    giver: str
    taker: str
    role: str


@dataclass
class Known:
    """One record as the model has it after ``version`` entries."""

    type: w.Type
    label: str
    uid: str
    state: str = ""
    version: int = 0
    leaf_hash: str = ""
    people: dict[str, set[str]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    signatures: int = 0
    refusals: list[str] = field(default_factory=list)


def states_of(t: w.Type, found: w.Transition) -> set[str]:
    """Return the states an act is possible in."""
    live = {s.name for s in t.states if not s.terminal}
    return (set(found.from_) - {"*live"}) | (live if "*live" in found.from_ else set())


def transition(t: w.Type, act: str) -> w.Transition | None:
    """Return a declared act by name."""
    return next((tr for tr in t.transitions if tr.name == act), None)


class Model:
    """What may be done by whom, read off the declarations."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lent: list[Lent] = []
        self.uids: dict[str, str] = {}

    def uid(self, username: str) -> str:
        """Return the uuid of a user name."""
        if username not in self.uids:
            row = self.world.lab.reading.find(self.world.number_of(username))
            assert row is not None
            self.uids[username] = row.uid
        return self.uids[username]

    # --- people --------------------------------------------------------------------------------

    def named(self, known: Known, name: str) -> set[str]:
        """Return the uuids a person name of the declaration stands for on this record."""
        person = known.type.persons[name]
        if isinstance(person, w.PersonAt):
            holders = [known.fields] if len(person.path) < 2 else self._fields_at(known, person.path[:-1])
            if not person.path:
                return {known.uid}
            return {uid for fields in holders for uid in _uids(fields.get(person.path[-1]))}
        key = (
            f"signed_{person.meaning}" if isinstance(person, w.Signer) else getattr(person, "act", "touched")
        )
        if not person.path:
            return known.people.get(key, set())
        return {uid for row in self._rows_at(known, person.path) for uid in row.people.get(key, ())}

    def _rows_at(self, known: Known, path: w.Path) -> list[Row]:
        return self.world.along(self.world.row(known.label), path)

    def _fields_at(self, known: Known, path: w.Path) -> list[dict[str, Any]]:
        return [row.fields for row in self._rows_at(known, path)]

    def acting(self, known: Known, act: str, username: str) -> tuple[set[str], Reasons]:
        """Return who acts (with whom it is done for), and why they may not, if so: role or training."""
        roles, names, signature = _who(known.type, act)
        uid = SERVICE if username == SERVICE else self.uid(username)
        if any(uid in self.named(known, name) for name in names):
            return {uid}, set()
        if names and not roles:
            return {uid}, {"role"}
        if "*" in roles:
            return {uid}, set()
        if username == SERVICE:
            return {uid}, set() if "SVC" in roles else {"role"}
        wanted = [r for r in roles if signature is None or not signature.roles or r in signature.roles]
        own = [r for r in wanted if r in TEAM.get(username, ())]
        if own:
            untrained = username in UNTRAINED or username in LAPSING
            return {uid}, {"training"} if untrained else set()
        if signature is None or signature.delegable:
            for lent in self.lent:
                if lent.taker == username and lent.role in wanted:
                    return {uid, self.uid(lent.giver)}, set()
        return {uid}, {"role"}

    # --- acts ----------------------------------------------------------------------------------

    def against(self, known: Known, act: str, username: str, held: Iterable[str], version: int) -> Reasons:
        """Return every reason against an act that does not lie in a guard; none: it may be done."""
        found = transition(known.type, act)
        if act != "edit" and (found is None or found.consequence):
            return {"state"}
        people, reasons = self.acting(known, act, username)
        if version != known.version:
            reasons.add("stale")
        if known.state not in _states(known.type, act):
            reasons.add("state")
        stopping = found is not None and (found.stops or found.to.startswith(ENDING))
        if set(held) and not stopping:
            reasons.add("hold")
        if found is not None and any(people & self.named(known, name) for name in _apart(found)):
            reasons.add("self")
        return reasons

    def take(self, known: Known, leaf: dict[str, Any], primary: bool, content: dict[str, Any] | None) -> None:
        """Let an entry happen to the record; what the declaration does not allow fails."""
        act, said = leaf["act"], f"{known.label} v{leaf['record']['ver']} '{leaf['act']}'"
        assert leaf["record"]["ver"] == known.version + 1, (
            f"{said}: a version is left out after {known.version}"
        )
        assert leaf["record"].get("prev", "") == known.leaf_hash, f"{said}: not chained to the version before"
        lent = {leaf["actor"]["behalf"]} if "behalf" in leaf["actor"] else set()
        people = {leaf["actor"]["id"], *lent}
        found = transition(known.type, act)
        signature = _signature(known.type, act) if primary else None
        signed = any(body["s"] == "signature" for body in leaf["bodies"])
        assert signed == (signature is not None), f"{said}: signed {signed}, declared {signature is not None}"
        assert leaf.get("meaning", "") == (signature.meaning if signature else ""), f"{said}: wrong meaning"
        if act != "create":
            assert known.state in _states(known.type, act), f"{said}: done in {known.state}"
            assert primary or (found is not None and found.consequence) or act in _acts(known.type), said
        if content is not None:
            self._fields(known, act, content, said)
        _remember(known, act, found, people, lent, signature, primary)
        known.state = (
            known.type.create.state if act == "create" else (found.to if found else "") or known.state
        )
        known.version, known.signatures = known.version + 1, known.signatures + int(signed)

    def _fields(self, known: Known, act: str, content: dict[str, Any], said: str) -> None:
        after = content["fields"]
        changed = {n for n in {*known.fields, *after} if known.fields.get(n) != after.get(n)}
        strange = set() if act == "create" else changed - _fields_of(known.type, act, known.state)
        assert not strange, f"{said}: changed {sorted(strange)}"
        known.fields = dict(after)


def _remember(
    known: Known,
    act: str,
    found: w.Transition | None,
    people: set[str],
    lent: set[str],
    signature: w.Signature | None,
    primary: bool,
) -> None:
    for cleared in found.clears if found else ():
        for key in (cleared, f"signed_{cleared}", f"behalf_{cleared}", f"behalf_signed_{cleared}"):
            if key in known.people:
                known.people.setdefault(f"former_{key}", set()).update(known.people.pop(key))
    keys = [act]
    if primary and (found is None or found.touches or found.fields):
        keys.append("touched")
    if signature is not None:
        keys.append(f"signed_{signature.meaning}")
    for key in keys:
        known.people.setdefault(key, set()).update(people)
        if lent:
            known.people.setdefault(f"behalf_{key}", set()).update(lent)


def _uids(value: Any) -> Iterable[str]:
    return [item["uid"] for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def _who(t: w.Type, act: str) -> tuple[tuple[str, ...], tuple[str, ...], w.Signature | None]:
    if act == "edit":
        return (t.edit.who, t.edit.persons, None) if t.edit else ((), (), None)
    found = transition(t, act)
    assert found is not None
    return found.who, found.persons, found.signature


def _states(t: w.Type, act: str) -> set[str]:
    if act == "edit":
        return set(t.edit.states) if t.edit else set()
    found = transition(t, act)
    return states_of(t, found) if found else set()


def _signature(t: w.Type, act: str) -> w.Signature | None:
    found = transition(t, act)
    return t.create.signature if act == "create" else (found.signature if found else None)


def _apart(found: w.Transition) -> set[str]:
    return {*found.independent_of, *(found.signature.independent_of if found.signature else ())}


def _acts(t: w.Type) -> set[str]:
    return {"edit", *(tr.name for tr in t.transitions)}


def _fields_of(t: w.Type, act: str, state: str) -> set[str]:
    """Return the fields an act may change in a state."""
    if act == "edit":
        return {n for n, f in t.fields.items() if state not in f.immutable_at}
    found = transition(t, act)
    assert found is not None
    filled = {e.field for e in found.effects if isinstance(e, w.Set | w.Append | w.Compute | w.Gather)}
    given = {n for n in found.fields if state not in t.fields[n].immutable_at}
    return given | filled
