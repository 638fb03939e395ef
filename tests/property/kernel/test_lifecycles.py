"""Random work by several people, compared step by step with a plain model of states and rules.

The model knows three lifecycles (a document with versions, a study, a hold) and says for each act who
may do it, from which state, with which independence; the door must agree on the answer and on the
state that is left. A failing walk prints its steps; the seed is the one pytest-randomly prints.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from coverslip.errors import CoverslipError
from fix_lab import FOUNDERS, STAFF, TODAY, Lab, Person

ROLES = {name: set(roles) for name, _, roles in (*FOUNDERS, *STAFF)}
PEOPLE = ("aurel", "rex", "rita", "quinn", "vera", "sam", "alan", "nora")
WHY = "A reason in words that say something at all."
OFFERED = {"effective_date": TODAY.isoformat()}


@dataclass(frozen=True)
class Rule:
    """One act of the model: from where, to where, by whom, apart from whom, with which signature."""

    from_: tuple[str, ...]
    to: str
    roles: frozenset[str]
    apart: tuple[str, ...] = ()
    signs: str = ""
    edits: bool = False


def _rule(from_: str, to: str, roles: str, apart: str = "", signs: str = "", edits: bool = False) -> Rule:
    return Rule(tuple(from_.split()), to, frozenset(roles.split()), tuple(apart.split()), signs, edits)


DOCUMENT = {
    "edit": _rule("draft", "draft", "AUT", edits=True),
    "submit": _rule("draft", "in_review", "AUT", signs="authored"),
    "review": _rule("in_review", "in_approval", "REV", "authored touched", "reviewed"),
    "approve": _rule("in_approval", "approved", "QA", "authored touched reviewed", "approved"),
    "reject": _rule("in_review in_approval", "draft", "REV QA"),
    "withdraw": _rule("approved", "draft", "QA AUT"),
    "obsolete": _rule("effective", "obsolete", "QA", "authored touched", "approved"),
    "work": _rule("approved", "effective", "SVC"),
}
STUDY = {
    "edit": _rule("draft", "draft", "SDR AUT ANL QA", edits=True),
    "accept_responsibility": _rule("draft", "director_accepted", "DIRECTOR", signs="accepted_responsibility"),
    "return_to_draft": _rule("director_accepted", "draft", "QA SDR"),
    "approve": _rule(
        "director_accepted", "approved", "QA", "director accepted_responsibility touched", "qa_reviewed"
    ),
    "start": _rule("approved", "in_progress", "SDR"),
    "suspend": _rule("in_progress", "suspended", "SDR QA"),
    "resume": _rule("suspended", "in_progress", "SDR QA"),
    "complete_data": _rule("in_progress", "data_complete", "SDR"),
    "report": _rule("data_complete", "reported", "DIRECTOR", signs="accepted_responsibility"),
    "terminate": _rule(
        "draft director_accepted approved in_progress suspended", "terminated", "SDR QA", signs="closed"
    ),
}
HOLD = {"lift": _rule("active", "lifted", "QA", signs="approved")}


@dataclass
class Model:
    """What one record should be."""

    kind: str
    number: str
    state: str
    version: int = 1
    revision: int = 0
    touched: set[str] = field(default_factory=set)
    signed: dict[str, set[str]] = field(default_factory=dict)
    holds: int = 0
    turn: int = 0

    @property
    def rules(self) -> dict[str, Rule]:
        return {"document_sop": DOCUMENT, "study": STUDY, "hold": HOLD}[self.kind]

    def answer(self, who: str, act: str, stale: bool) -> str:
        """Return the code the act must be refused with, or ``done``."""
        rule = self.rules[act]
        if act == "edit" and self.state not in rule.from_:
            return "SIG_STALE" if stale else "LOCKED"
        if stale:
            return "SIG_STALE"
        held = ROLES[who] | ({"DIRECTOR"} if who == "sam" else set())
        if not held & rule.roles:
            return "AUTH_ROLE"
        if self.state not in rule.from_:
            return "SEQ_STATE"
        if self.holds:
            return "HOLD"
        people = {"touched": self.touched, "director": {"sam"}} | self.signed
        if any(who in people.get(name, set()) for name in rule.apart):
            return "AUTH_SELF"
        return "done"

    def take(self, who: str, act: str) -> None:
        """Go on as the act says."""
        rule = self.rules[act]
        self.state, self.version = rule.to, self.version + 1
        if rule.edits:
            self.touched.add(who)
        if rule.signs:
            self.signed.setdefault(rule.signs, set()).add(who)


def _create(lab: Lab, rng: random.Random, known: list[Model]) -> Model:
    choice = rng.random()
    targets = [m for m in known if m.kind != "hold"]
    if choice < 0.3 and targets:
        held = rng.choice(targets)
        subject = f"{held.number} v{held.revision}" if held.revision else held.number
        number = lab.vera.create("hold", subject=subject, reason="It is in question for now.")
        held.holds += 1
        made = Model("hold", number, "active")
        made.signed["holds"] = {str(known.index(held))}
        return made
    if choice < 0.7:
        author = rng.choice(["aurel", "rex"])
        number = getattr(lab, author).create(
            "document_sop", title="Walk", criticality="gxp", body="1.", change_summary="First.",
            training_depth="none", audience=[], **OFFERED,
        )  # fmt: skip
        return Model("document_sop", number, "draft", 1, 1, {author})
    return Model("study", lab.new_study(), "draft", 1, 0, {"sam"})


def _try(lab: Lab, model: Model, who: str, act: str, version: int) -> str:
    person: Person = getattr(lab, who)
    rule = model.rules[act]
    model.turn += 1
    fields = {"title": f"Walk {model.turn}"} if act == "edit" else {}
    try:
        person.do(
            model.number,
            act,
            sign=bool(rule.signs),
            why=WHY,
            version=version,
            revision=model.revision,
            **fields,
        )
    except CoverslipError as error:
        return error.code
    return "done"


@pytest.mark.parametrize("walk", range(6))
def test_a_random_walk_of_several_people_agrees_with_the_model(lab: Lab, walk: int) -> None:
    seed = random.randrange(2**32)  # follows pytest-randomly's seed
    rng = random.Random(seed)
    steps: list[str] = [f"seed {seed}"]
    known = [_create(lab, rng, []) for _ in range(2)]
    done = 0
    for _ in range(60):
        if rng.random() < 0.1:
            known.append(_create(lab, rng, known))
        model = rng.choice(known)
        act = rng.choice(sorted(model.rules))
        if rng.random() < 0.6:  # go on with the work rather than try at random
            possible = [
                (m, a)
                for m in known
                for a in m.rules
                if a == "work" or any(m.answer(w, a, stale=False) == "done" for w in PEOPLE)
            ]
            model, act = rng.choice(possible or [(model, act)])
        if act == "work":
            lab.work()._waiting.clear()
            lab.work().due()
            steps.append("the worker looks")
            for each in known:
                if each.kind == "document_sop" and each.state == "approved" and not each.holds:
                    each.take("scheduler", "work")
        else:
            allowed = [w for w in PEOPLE if model.answer(w, act, stale=False) == "done"]
            holders = [w for w in PEOPLE if model.answer(w, act, stale=False) != "AUTH_ROLE"]
            pool = rng.choice([allowed, holders, holders, list(PEOPLE)])
            who = rng.choice(pool or list(PEOPLE))
            stale = rng.random() < 0.1
            expected = model.answer(who, act, stale)
            found = _try(lab, model, who, act, model.version - 1 if stale else model.version)
            steps.append(f"{who} {act} {model.number} ({model.state}, stale={stale}): {found}")
            assert found == expected, "\n".join([*steps[-30:], f"expected {expected}"])
            if found == "done":
                done += 1
                model.take(who, act)
                if model.kind == "hold":
                    known[int(next(iter(model.signed["holds"])))].holds -= 1
        for each in known:
            row = lab.row(each.number, each.revision)
            assert (row.state, row.version) == (each.state, each.version), "\n".join(steps[-30:])
            assert len(row.blockers) == each.holds, "\n".join(steps[-30:])
    assert done > 5, "\n".join(steps)
    assert lab.replay() == []
