"""The model notices what it is there for: one bug at a time is planted in the kernel, and a walk finds it.

A walk that finds nothing wrong in a kernel that is wrong would say nothing about one that is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from coverslip.kernel import authority, decide, effects
from coverslip.store.ledger_sql import PostgresStore
from fix_walk import Walk
from fix_world import World

Plant = Callable[[pytest.MonkeyPatch], None]
TYPES = ("document_sop", "calibration", "image_set")


def _nothing(*_given: Any, **_more: Any) -> None:
    return None


def _no_independence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(authority, "require_independence", _nothing)


def _any_state(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decide._Deciding, "_require_state", _nothing)


def _holds_do_not_stop(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decide._Deciding, "_require_no_hold", _nothing)


def _any_role(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(authority, "require_role", lambda _f, _p, who, *_a, **_k: next(iter(who), ""))


def _training_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(authority, "missing_training", _nothing)


def _any_version(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decide._Deciding, "_require_version", _nothing)


def _people_forgotten(patch: pytest.MonkeyPatch) -> None:
    def acted(before: dict[str, list[str]], *_given: Any) -> dict[str, list[str]]:
        return {k: list(v) for k, v in before.items()}

    patch.setattr(decide, "acted", acted)


def _the_giver_does_not_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decide._Deciding, "people", property(lambda self: (self.person,)))


def _content(patch: pytest.MonkeyPatch, change: Callable[[dict[str, Any], Any], None]) -> None:
    found = decide._Deciding._content

    def content(self: Any, *given: Any, **more: Any) -> dict[str, Any]:
        made = found(self, *given, **more)
        if self.record is not None:
            change(made, self)
        return made

    patch.setattr(decide._Deciding, "_content", content)


def _stays_where_it_was(patch: pytest.MonkeyPatch) -> None:
    _content(patch, lambda made, deciding: made.update(state=deciding.record.state))


def _loses_a_field(patch: pytest.MonkeyPatch) -> None:
    def change(made: dict[str, Any], deciding: Any) -> None:
        optional = [n for n in made["fields"] if not deciding.type.fields[n].required]
        made["fields"] = {n: v for n, v in made["fields"].items() if n not in optional[:1]}

    _content(patch, change)


def _unsigned(patch: pytest.MonkeyPatch) -> None:
    found = decide._Deciding._decision
    patch.setattr(
        decide._Deciding, "_decision", lambda self, *given: replace(found(self, *given), signature=None)
    )


def _nothing_is_cleared(patch: pytest.MonkeyPatch) -> None:
    kept = effects.acted
    patch.setattr(decide, "acted", lambda before, names, people, _clears: kept(before, names, people, ()))


def _refuses_everything(patch: pytest.MonkeyPatch) -> None:
    def refuse(_definition: Any, _names: Any, _facts: Any, _people: Any, action: str, record: str) -> None:
        raise authority.Refused("AUTH_SELF", record=record, action=action, person="you", did="it", date="")

    patch.setattr(authority, "require_independence", refuse)


def _entries_left_out(patch: pytest.MonkeyPatch) -> None:
    """Let the store keep a refusal for itself."""
    commit = PostgresStore.commit

    def lose(self: Any, batch: Any) -> Any:
        if any(entry.kind == "session" for entry in batch.entries):
            return None
        return commit(self, batch)

    patch.setattr(PostgresStore, "commit", lose)


PLANTED: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "independence is not asked": (_no_independence, TYPES),
    "acts are possible in any state": (_any_state, TYPES),
    "a hold stops nobody": (_holds_do_not_stop, TYPES),
    "any role will do": (_any_role, TYPES),
    "training is not asked": (_training_is_not_asked, TYPES),
    "a change of an old version is taken": (_any_version, TYPES),
    "who acted is forgotten": (_people_forgotten, TYPES),
    "who delegated does not count": (_the_giver_does_not_count, TYPES),
    "an act leads nowhere": (_stays_where_it_was, TYPES),
    "a field is lost": (_loses_a_field, TYPES),
    "a signature is left out": (_unsigned, TYPES),
    "everything is refused": (_refuses_everything, TYPES),
    "refusals have no entry": (_entries_left_out, TYPES),
    "what is cleared goes on counting": (
        _nothing_is_cleared,
        ("curriculum", "document_external", "risk_assessment"),
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_model_notices_a_planted_bug(world: World, name: str) -> None:
    plant, types = PLANTED[name]

    def planting() -> Callable[[], None]:
        patch = pytest.MonkeyPatch()
        plant(patch)
        return patch.undo

    with pytest.raises(AssertionError) as noticed:
        for seed in range(11, 21):
            Walk(world, seed, planting=planting).run(40, types)
    assert "the last steps" in " ".join(getattr(noticed.value, "__notes__", ())), "the walk never began"


def test_the_same_walks_find_nothing_in_the_kernel_as_it_is(world: World) -> None:
    Walk(world, seed=11).run(40, TYPES)
