"""Definitions of earlier releases are read with today's words, and must mean what they meant."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import fix_story
from coverslip.bootstrap import checking, migrating, wiring
from coverslip.errors import CoverslipError, EnvironmentFault, EvidenceBroken
from coverslip.kernel import kinds, words as w
from coverslip.kernel.definition import Catalogue, revive
from coverslip.kernel.upgrade import changed, require_states
from coverslip.ledger import canonical
from coverslip.records import all_types
from coverslip.store.definitions import Defined, told
from fix_old_home import OldHome

WORDS = Path(__file__).parent / "data" / "words-3eb57c2.json"


def defined(home: OldHome) -> tuple[Defined, ...]:
    with wiring.database(home.home), wiring.connection(home.home, "cs_verifier") as conn:
        return told(conn).definitions


def altered(name: str, **changes: Any) -> Catalogue:
    """Return the shipped types with one of them declared otherwise, as a later release might."""
    return Catalogue(
        [msgspec.structs.replace(t, **changes) if t.name == name else t for t in all_types()]
    )  # fmt: skip


# --- reading back --------------------------------------------------------------------------------------


def test_every_definition_of_the_first_release_is_read_and_says_the_same(old_home: OldHome) -> None:
    found = defined(old_home)
    assert len(found) == 23
    for one in found:
        revived = revive(one.canonical)
        assert (revived.name, revived.hash) == (one.type, one.hash)
        again = msgspec.to_builtins(revived.type)
        assert json.loads(one.canonical)["type"] == json.loads(msgspec.json.encode(again))


def test_a_definition_with_a_word_of_a_later_release_is_not_guessed() -> None:
    form = canonical.decode(wiring.catalogue()["study"].canonical)
    form["type"]["transitions"][0]["quorum"] = 2
    with pytest.raises(EnvironmentFault, match="words this release knows"):
        revive(canonical.encode(form))


def test_a_default_of_a_word_never_changes() -> None:
    """A definition leaves defaults out: one that changed would give old records another meaning."""
    said = json.loads(WORDS.read_text("utf-8"))
    found = {
        name: word
        for module in (kinds, w)
        for name, word in vars(module).items()
        if inspect.isclass(word) and issubclass(word, kinds.Word) and word is not kinds.Word
    }
    for name, defaults in said.items():
        fields = {f.encode_name: f for f in msgspec.structs.fields(found[name])}
        for field, default in defaults.items():
            now = fields[field]
            value = now.default_factory() if now.default is msgspec.NODEFAULT else now.default  # type: ignore[operator]
            assert json.loads(msgspec.json.encode(value)) == default, f"{name}.{field}"


# --- each record under its own -------------------------------------------------------------------------


def test_a_record_is_shown_and_replayed_under_the_definition_it_was_made_with(
    upgraded: OldHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = altered("site", title="Place", version=2, migration_note="Sites are called so now.")
    monkeypatch.setattr(wiring, "catalogue", lambda *_: later)
    with wiring.database(upgraded.home), pytest.raises(EnvironmentFault, match="definition of site"):
        migrating.require_current(upgraded.home)
    assert migrating.migrate(upgraded.root).defined == ("site",)
    with fix_story.running(upgraded.root) as client:
        quinn = fix_story.Person(client, "quinn")

        def heading() -> str:
            return str(quinn.ask("GET", "/records/SITE-01/view").json()["text"].splitlines()[1])

        assert heading() == "Site"
        quinn.must("SITE-01", "amend", sign=True, why="The street was renamed.", address="2 Slide Street")
        assert heading() == "Place"
    for check in (checking.ledger_verify, checking.ledger_replay):
        assert check(upgraded.root)[0] == []


def test_a_version_under_a_definition_that_is_not_on_the_log_is_a_finding(upgraded: OldHome) -> None:
    known = wiring.catalogue().recalling(dict)
    with pytest.raises(EvidenceBroken, match="one on the log"):
        known.under("study", "ab" * 32)
    forms = {one.hash: one.canonical for one in defined(upgraded)}
    first = next(one for one in defined(upgraded) if one.type == "user")
    remembering = wiring.catalogue().recalling(lambda: forms)
    assert remembering.under("user", first.hash).hash == first.hash
    with pytest.raises(EvidenceBroken, match="that of user"):
        remembering.under("study", first.hash)


# --- forwards only -------------------------------------------------------------------------------------


def test_a_program_older_than_the_log_neither_serves_nor_migrates(
    upgraded: OldHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        later = altered("study", purpose="Another purpose.", version=2)
        patch.setattr(wiring, "catalogue", lambda *_: later)
        migrating.migrate(upgraded.root)
    for act in (lambda: migrating.migrate(upgraded.root), lambda: current(upgraded)):
        with pytest.raises(EnvironmentFault, match="nothing later than this release"):
            act()


def current(home: OldHome) -> None:
    with wiring.database(home.home):
        migrating.require_current(home.home)


def test_a_type_that_is_no_more_is_refused() -> None:
    with pytest.raises(EnvironmentFault, match="elsewhere"):
        changed(wiring.catalogue(), [("elsewhere", "00" * 32)])


def test_a_definition_without_a_state_some_record_is_in_changes_nothing(
    old_home: OldHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = wiring.catalogue()["hold"].type
    states = (msgspec.structs.replace(hold.states[0], name="on"), hold.states[1])
    lift = msgspec.structs.replace(hold.transitions[0], from_=("on",))
    create = msgspec.structs.replace(hold.create, state="on")
    later = altered("hold", states=states, transitions=(lift,), create=create)
    size = old_home.size()
    monkeypatch.setattr(wiring, "catalogue", lambda *_: later)
    with pytest.raises(EnvironmentFault, match="none called active"):
        migrating.migrate(old_home.root)
    assert old_home.size() == size
    with wiring.database(old_home.home), wiring.connection(old_home.home, "cs_verifier") as conn:
        assert conn.execute("select max(number) from ops.migration").fetchone() == (10,)


def test_states_still_declared_are_no_obstacle() -> None:
    changes = changed(wiring.catalogue(), [])
    assert {one.definition.name for one in changes} == {d.name for d in wiring.catalogue()}
    require_states(changes, {"hold": {"active", "lifted"}})
    with pytest.raises(CoverslipError, match="none called gone"):
        require_states(changes, {"hold": {"gone"}})
