"""Every shipped declaration holds together: states, people, paths, prefixes, canonical form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from coverslip.errors import EnvironmentFault
from coverslip.kernel import rules, words as w
from coverslip.kernel.definition import Catalogue, define, effects_of, flatten, guards_of, named_rules
from coverslip.ledger import canonical
from coverslip.records import all_types
from coverslip.records.founding import ROLES as SHIPPED_ROLES
from coverslip.retention.rules import CLASSES

ROLES = {*SHIPPED_ROLES, "DEV", "*"}
MEANINGS = {
    "authored",
    "executed",
    "witnessed",
    "verified",
    "reviewed",
    "qa_reviewed",
    "approved",
    "released",
    "rejected",
    "dispositioned",
    "acknowledged",
    "assessed",
    "accepted_responsibility",
    "closed",
    "voided",
    "extended",
    "waived",
}
GXP_FREE = "none"
TYPES = {t.name: t for t in all_types()}
RULES = re.compile(
    r"21 CFR \d+\.\d+(\([a-z0-9]+\))*|ISO \d+( \d+(\.\d+)*)?|EU GMP Annex \d+( §\d+(\.\d+)*)?|ICH Q\d+"
)
_ENDS = "An act of its own ends it without taking anything back"
_EVENT = "It says what happened, which does not become untrue"
NOT_VOIDED = {
    "access_review": _EVENT,
    "acquisition_session": _ENDS,
    "alert": _EVENT,
    "algorithm": _ENDS,
    "analysis_method": _ENDS,
    "analysis_run": _ENDS,
    "calibration": _ENDS,
    "certification_letter": _EVENT,
    "disposition": "A decision of a quorum is answered by another",
    "hold": _ENDS,
    "image": _ENDS,
    "image_set": _ENDS,
    "instrument": _ENDS,
    "legal_hold": _ENDS,
    "parameter_set": _ENDS,
    "release_decision": _ENDS,
    "restore_test": _EVENT,
    "result_set": "It lives and ends with its run",
    "review_case": "It lives and ends with what it reviews",
    "role": _ENDS,
    "site": _ENDS,
    "study": _ENDS,
    "user": "An account is disabled and never used again",
}
"""Types that nobody voids, and why; every other type has the act."""
NOTHING_CRITICAL = {
    "alert": "All of it is written by the installation and fixed from the start",
    "restore_test": "All of it is written by the installation and fixed from the start",
}
each = pytest.mark.parametrize("t", all_types(), ids=lambda t: t.name)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _beside(t: w.Type) -> bool:
    """Whether records of the type hang on any other record by their subject: comments, attachments, tags."""
    link = _links(t, "subject")
    return link is not None and not link.types and t.sandbox is not None and t.sandbox.path == ("subject",)


def _links(t: w.Type, name: str) -> w.Link | None:
    table, _, column = name.partition(".")
    declared = t.fields.get(table)
    kind = declared.kind if declared else None
    if column:
        kind = kind.columns[column].kind if isinstance(kind, w.Table) and column in kind.columns else None
    return kind if isinstance(kind, w.Link) else None


def _ends(t: w.Type, path: w.Path) -> list[w.Type]:
    """Types at the end of a record path; every step must be a declared link."""
    here = [t]
    for step in path:
        following = []
        for at in here:
            link = _links(at, step)
            assert link is not None, f"{t.name}: {'.'.join(path)}: {at.name}.{step} is no link"
            following += [TYPES[n] for n in (link.types or tuple(TYPES))]
        here = following
    return here


def _record_paths(t: w.Type) -> Iterator[w.Path]:
    for _, guard in guards_of(t):
        match guard:
            case (
                w.InState() | w.Current() | w.Trained() | w.NotOnHold() | w.Count() | w.NoOpen() | w.Signed()
            ):
                yield guard.path
            case w.Rule():
                yield from guard.reads.values()
                yield from (child[0] for child in guard.children.values())
            case _:
                pass
    for effect in effects_of(t):
        match effect:
            case w.Snapshot() | w.Do() | w.Gather():
                yield effect.path
            case w.Compute():
                yield from effect.rule.reads.values()
                yield from (child[0] for child in effect.rule.children.values())
            case _:
                pass
    for person in t.persons.values():
        if not isinstance(person, w.PersonAt):
            yield person.path
    if t.sandbox is not None:
        yield t.sandbox.path


def _value_paths(t: w.Type) -> Iterator[w.Path]:
    for _, guard in guards_of(t):
        match guard:
            case w.Compare():
                yield from (p for p in (guard.path, guard.other) if p)
            case w.When():
                yield guard.condition.path
            case w.InDate():
                yield guard.path
            case w.Count():
                yield from (p for p in (guard.limit,) if p)
            case _:
                pass
    for effect in effects_of(t):
        values = [effect.value] if isinstance(effect, w.Set) else []
        values += list(effect.values.values()) if isinstance(effect, w.Create) else []
        yield from (v.path for v in values if v.of == "path")
    for person in t.persons.values():
        if isinstance(person, w.PersonAt) and person.path:
            yield person.path


def test_the_catalogue_accepts_all_types_together() -> None:
    assert {d.name for d in Catalogue(all_types())} == set(TYPES)


def test_the_catalogue_refuses_a_shared_prefix_and_a_missing_link_target() -> None:
    twin = msgspec.structs.replace(TYPES["hold"], name="hold_again")
    with pytest.raises(EnvironmentFault, match="prefix HLD"):
        Catalogue((*all_types(), twin))
    with pytest.raises(EnvironmentFault, match="links to user, which is not declared"):
        Catalogue(t for t in all_types() if t.name != "user")


@each
def test_a_type_survives_its_own_sorted_json(t: w.Type) -> None:
    encoded = msgspec.json.encode(t, order="sorted")
    again = msgspec.json.decode(encoded, type=w.Type)
    assert again == t
    assert msgspec.json.encode(again, order="sorted") == encoded


@each
def test_a_canonical_definition_has_only_plain_keys_and_changes_with_the_type(t: w.Type) -> None:
    definition = define(t)
    value = canonical.decode(definition.canonical)
    assert all(re.fullmatch("[a-z0-9_]+", key) for key in _keys(value))
    assert define(msgspec.structs.replace(t, purpose=t.purpose + " And more.")).hash != definition.hash


@each
def test_every_state_is_reached_and_every_act_runs_between_declared_states(t: w.Type) -> None:
    names = [s.name for s in t.states]
    assert len(set(names)) == len(names)
    reached = {t.create.state}
    for _ in names:
        reached |= {tr.to for tr in t.transitions if tr.to and set(tr.from_) & {*reached, "*live"}}
    assert reached == set(names)
    for tr in t.transitions:
        assert tr.from_ and set(tr.from_) <= {*names, "*live"}, tr.name
        assert not tr.to or tr.to in names, tr.name
    for state in t.states:
        assert state.locked or not (state.terminal or state.effective), state.name
    acts = [tr.name for tr in t.transitions]
    assert len(set(acts)) == len(acts) and not {"create", "edit"} & set(acts)


@each
def test_no_act_leaves_a_terminal_state(t: w.Type) -> None:
    terminal = {s.name for s in t.states if s.terminal}
    assert [tr.name for tr in t.transitions if set(tr.from_) & terminal and tr.to] == []


@each
def test_people_roles_fields_and_meanings_named_are_declared(t: w.Type) -> None:
    states = {s.name for s in t.states}
    for tr in t.transitions:
        sig = tr.signature
        people = {*tr.persons, *tr.independent_of, *(sig.independent_of if sig else ())}
        assert people <= set(t.persons), tr.name
        assert set(tr.who) <= ROLES, tr.name
        assert set(tr.fields) <= set(t.fields), tr.name
        assert not tr.at or isinstance(t.fields[tr.at].kind, w.Date), tr.name
        assert tr.who or tr.persons or tr.consequence, tr.name
        assert sig is None or (sig.meaning in MEANINGS and "ADM" not in tr.who and "SVC" not in tr.who), (
            tr.name
        )
        assert sig is None or set(sig.roles) <= set(tr.who) or tr.persons, tr.name
    for name, declared in t.fields.items():
        assert re.fullmatch("[a-z][a-z0-9_]*", name)
        assert {*declared.required_at, *declared.immutable_at} <= states, name
    assert {t.title_field, *t.summary} <= set(t.fields)
    assert t.number.code in ("", "code") and (not t.number.code or t.number.code in t.fields)


@each
def test_persons_name_acts_and_meanings_that_exist_where_they_look(t: w.Type) -> None:
    for name, person in t.persons.items():
        for at in _ends(t, person.path) if not isinstance(person, w.PersonAt) else ():
            if isinstance(person, w.Actor):
                assert person.act in {"create", "edit", *(tr.name for tr in at.transitions)}, name
            elif isinstance(person, w.Signer):
                signed = {tr.signature.meaning for tr in at.transitions if tr.signature}
                signed |= {at.create.signature.meaning} if at.create.signature else set()
                assert person.meaning in signed, name


@each
def test_every_path_follows_declared_links_to_a_declared_field(t: w.Type) -> None:
    for path in _record_paths(t):
        _ends(t, path)
    for path in _value_paths(t):
        assert any(path[-1] in at.fields for at in _ends(t, path[:-1])), path


@each
def test_children_counted_link_back_and_name_states_that_exist(t: w.Type) -> None:
    for _, guard in guards_of(t):
        if isinstance(guard, w.Count | w.NoOpen):
            assert _links(TYPES[guard.type], guard.field) is not None
            named = guard.states if isinstance(guard, w.Count) else guard.closed
            assert set(named) <= {s.name for s in TYPES[guard.type].states}
        if isinstance(guard, w.InState):
            for at in _ends(t, guard.path):
                assert set(guard.states) & {s.name for s in at.states}, guard
    for used in named_rules(t):
        for _, child, child_field in used.children.values():
            assert _links(TYPES[child], child_field) is not None


@each
def test_links_ask_for_states_their_targets_have(t: w.Type) -> None:
    for name in t.fields:
        link = _links(t, name)
        if link is not None and link.types and link.allowed:
            states = [{s.name for s in TYPES[target].states} for target in link.types]
            assert set(link.allowed) <= set.union(*states), name
            assert all(set(link.allowed) & known for known in states), name


@each
def test_consequences_name_acts_of_their_targets_and_fields_that_exist(t: w.Type) -> None:
    for effect in effects_of(t):
        if isinstance(effect, w.Do):
            for at in _ends(t, effect.path):
                found = next(tr for tr in at.transitions if tr.name == effect.act)
                assert found.consequence
        elif isinstance(effect, w.Set | w.Compute | w.Gather):
            assert effect.field in t.fields
        elif isinstance(effect, w.Supersede):
            assert t.revisions and any(tr.name == effect.act and tr.consequence for tr in t.transitions)
        elif isinstance(effect, w.Create) and effect.next_of:
            for at in _ends(t, effect.next_of):
                assert at.revisions
                assert not any(at.fields[name].required for name in effect.without)
        elif isinstance(effect, w.Create):
            made = TYPES[effect.type]
            given = {effect.link, *effect.values} - {""}
            assert given <= set(made.fields)
            filled = {e.field for e in made.create.effects if isinstance(e, w.Set | w.Compute)}
            needed = {n for n, f in made.fields.items() if f.required and f.default is None}
            assert effect.each is not None or needed - filled <= given  # a rule may give what is missing


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"next_of": ("owner",)}, "makes the next version of user, which has none"),
        ({"next_of": ("document",), "without": ("colour",)}, "leaves out colour of"),
        ({"next_of": ("document",), "type": "user"}, "has the type of the record before it"),
        ({"next_of": ("nowhere",)}, "leads to no one type"),
        (
            {"next_of": ("document",), "values": {"colour": w.Value("today")}},
            "with colour, which it does not",
        ),
    ],
)
def test_a_next_version_that_cannot_be_made_is_refused_when_declared(wrong: Any, said: str) -> None:
    review = TYPES["periodic_review"]
    start = msgspec.structs.replace(review.transitions[1], effects=(w.Create(**wrong),))
    acts = (review.transitions[0], start, *review.transitions[2:])
    with pytest.raises(EnvironmentFault, match=said):
        Catalogue(
            [msgspec.structs.replace(t, transitions=acts) if t is review else t for t in TYPES.values()]
        )


@each
def test_every_guard_says_in_plain_words_what_is_wanted(t: w.Type) -> None:
    conditions = [g.condition for _, g in guards_of(t) if isinstance(g, w.When)]
    for act, guard in guards_of(t):
        if not isinstance(guard, w.When) and guard not in conditions:
            assert len(guard.message) > 10 and guard.message.endswith("."), (act, guard)


@each
def test_every_named_rule_is_registered(t: w.Type) -> None:
    for used in named_rules(t):
        assert callable(rules.find(used.name, used.version))


@each
def test_a_state_locked_or_in_force_is_entered_by_signature_machine_or_consequence(t: w.Type) -> None:
    if t.gxp == GXP_FREE or (_beside(t) and t.create.state in {s.name for s in t.states if s.locked}):
        return  # what stands beside a record decides nothing, so that nobody signs it
    held = {s.name for s in t.states if s.locked or s.effective}
    ends = ("failed", "aborted", "cancelled")
    bare = [
        tr.name
        for tr in t.transitions
        if tr.to in held and not (tr.signature or tr.consequence or tr.who == ("SVC",) or tr.to in ends)
    ]
    assert bare == []
    if t.create.state in held:
        assert t.create.signature is not None


@each
def test_a_type_says_what_it_is_for_and_how_long_it_is_kept(t: w.Type) -> None:
    assert t.purpose.endswith(".") and t.title and t.summary and t.predicate_rules
    assert t.version >= 1 and t.author and t.migration_note
    assert [text for text in t.predicate_rules if not RULES.fullmatch(text)] == []


@each
def test_a_type_is_kept_by_a_class_that_exists_or_as_long_as_what_it_belongs_to(t: w.Type) -> None:
    kept = t.retention
    assert bool(kept.class_) != bool(kept.longest_of)
    assert not kept.class_ or kept.class_ in CLASSES
    _ends(t, kept.longest_of)
    clocks = {name: t.fields[name].kind for name in kept.events.values()}
    assert [n for n, kind in clocks.items() if not isinstance(kind, w.Date | w.Instant | w.Table)] == []
    chosen = t.fields[kept.class_at].kind if kept.class_at else None
    assert chosen is None or (isinstance(chosen, w.Enum) and set(chosen.choices) <= set(CLASSES))


@each
def test_what_is_regulated_names_its_critical_fields_and_can_be_voided(t: w.Type) -> None:
    voiding = [tr for tr in t.transitions if tr.to and next(s for s in t.states if s.name == tr.to).voided]
    assert bool(voiding) != (t.name in NOT_VOIDED), "void() is missing, or the reason why nobody voids it"
    if t.gxp == GXP_FREE:
        return
    assert any(f.critical for f in t.fields.values()) != (t.name in NOTHING_CRITICAL)
    for act in voiding:
        assert act.reason is not None and act.signature is not None and act.signature.meaning == "voided"


@each
def test_a_due_date_is_a_date_and_a_resting_state_is_no_end(t: w.Type) -> None:
    assert not t.due or isinstance(t.fields[t.due].kind, w.Date | w.Instant)
    assert all(not (s.resting and s.terminal) for s in t.states)


def test_prefixes_are_short_capitals_and_every_type_has_its_own() -> None:
    prefixes = [t.number.prefix for t in all_types()]
    assert len(prefixes) == len(set(prefixes))
    assert [p for p in prefixes if not re.fullmatch("[A-Z]{2,4}", p)] == []


def test_the_lists_of_exceptions_name_types_that_are_shipped() -> None:
    assert {*NOT_VOIDED, *NOTHING_CRITICAL} <= set(TYPES)


def test_retention_and_sandbox_paths_lead_to_the_study() -> None:
    for t in all_types():
        if t.sandbox is not None:
            ends = [at.name for at in _ends(t, t.sandbox.path)]
            assert ends == ["study"] or t.sandbox.path == ("subject",)


def test_what_hangs_on_a_study_alone_shares_its_sandbox() -> None:
    """A record that must name a study, or a record below one, is tried out where the study is."""
    for t in all_types():
        links = {n: _links(t, n) for n, f in t.fields.items() if f.required}
        above = [n for n, link in links.items() if link is not None and link.types == ("study",)]
        assert not above or t.sandbox is not None, f"{t.name} names {above} and shares no sandbox"


def test_guards_below_a_condition_are_walked_too() -> None:
    inner = [g for g in flatten(TYPES["role_grant"].create.requires) if isinstance(g, w.Compare)]
    assert [g.path for g in inner] == [("end",)]
