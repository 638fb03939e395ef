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

PROMISED = {
    "site": "SITE",
    "user": "USR",
    "role": "ROLE",
    "role_grant": "GRT",
    "document_policy": "POL",
    "document_sop": "SOP",
    "training_record": "TRN",
    "esign_acknowledgement": "ESA",
    "certification_letter": "CERT",
    "instrument": "INS",
    "calibration": "CAL",
    "study": "STU",
    "acquisition_session": "ACQ",
    "image": "IMG",
    "image_set": "SET",
    "algorithm": "ALG",
    "parameter_set": "PAR",
    "analysis_method": "MTH",
    "analysis_run": "RUN",
    "result_set": "RES",
    "review_case": "RVC",
    "release_decision": "REL",
    "hold": "HLD",
    "alert": "ALR",
    "access_review": "ACR",
    "restore_test": "RST",
    "risk_assessment": "FMEA",
    "complaint": "CMP",
    "audit": "AUD",
    "audit_finding": "FND",
    "supplier": "SUP",
    "supplier_qualification": "SQL",
    "system_review": "PSR",
    "scope_item": "SCO",
    "gap_assessment": "GAP",
    "audit_trail_review": "ATR",
}
"""Types and prefixes that are never taken away; each folder's types join here."""
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
TYPES = {t.name: t for t in all_types()}
BESIDE = {"attachment", "comment", "tag", "watch"}
"""Stand beside a record and decide nothing, so that nobody signs them; fixed from the start all the same."""
each = pytest.mark.parametrize("t", all_types(), ids=lambda t: t.name)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


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


def test_the_promised_types_are_shipped_with_their_prefixes() -> None:
    assert {t.name: t.number.prefix for t in all_types()}.items() >= PROMISED.items()


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
        elif isinstance(effect, w.Create):
            made = TYPES[effect.type]
            given = {effect.link, *effect.values} - {""}
            assert given <= set(made.fields)
            filled = {e.field for e in made.create.effects if isinstance(e, w.Set | w.Compute)}
            needed = {n for n, f in made.fields.items() if f.required and f.default is None}
            assert effect.each is not None or needed - filled <= given  # a rule may give what is missing


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
    if t.name in BESIDE:
        return
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
    assert bool(t.retention.class_) != bool(t.retention.longest_of)
    _ends(t, t.retention.longest_of)
    assert t.gxp == ("none" if t.name in BESIDE - {"attachment"} else "gmp")
    assert t.version >= 1 and t.author and t.migration_note


def test_retention_and_sandbox_paths_lead_to_the_study() -> None:
    for t in all_types():
        if t.sandbox is not None:
            ends = [at.name for at in _ends(t, t.sandbox.path)]
            assert ends == ["study"] or t.sandbox.path == ("subject",)
    below = {t.name for t in all_types() if t.sandbox is not None}
    assert below == {
        "study",
        "acquisition_session",
        "image",
        "image_set",
        "algorithm",
        "parameter_set",
        "analysis_method",
        "analysis_run",
        "result_set",
        "review_case",
        "specimen",
        "container",
        "annotation",
        "reprocessing_request",
        "oos",
        "report",
        *BESIDE,
    }


def test_guards_below_a_condition_are_walked_too() -> None:
    inner = [g for g in flatten(TYPES["role_grant"].create.requires) if isinstance(g, w.Compare)]
    assert [g.path for g in inner] == [("end",)]
