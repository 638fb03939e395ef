"""Named rules: what the vocabulary cannot say, as registered Python functions.

Rules kept here:

* A rule is pure: it sees what it declared to read, and nothing else; no clock, no store.
* Its name, version and the hash of its source are part of every definition that uses it.
* As a guard it returns ``None`` when it holds, else the sentence a person reads, or a ``Refusal`` where the
  catalogue has a code for it. Under ``Compute`` it returns the value.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.errors import EnvironmentFault
from coverslip.kernel.rows import Row


@dataclass(frozen=True, slots=True)
class RuleInput:
    """What a rule may see.

    ``fields`` are the record's fields as the act would leave them; ``record`` its row before the
    act (``None`` at creation); ``reads`` and ``children`` the rows declared, by name; ``actor`` the
    acting person's id; ``now`` the database time, UTC, ISO 8601; ``behalf`` the id of the person acted for,
    where the role is another's.
    """

    fields: Mapping[str, Any]
    record: Row | None
    reads: Mapping[str, tuple[Row, ...]]
    children: Mapping[str, tuple[Row, ...]]
    actor: str
    now: str
    behalf: str = ""

    @property
    def people(self) -> frozenset[str]:
        """Ids of who acts and for whom: what a person may not do, nobody does for them."""
        return frozenset({self.actor, self.behalf} - {""})

    @property
    def today(self) -> str:
        """UTC date of ``now``."""
        return self.now[:10]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a rule answers that refuses under a code of its own, with that code's values."""

    code: str
    sentence: str
    values: Mapping[str, Any]


RuleFunction = Callable[[RuleInput], Any]
_RULES: dict[tuple[str, int], RuleFunction] = {}


def rule(name: str, version: int) -> Callable[[RuleFunction], RuleFunction]:
    """Register a function as ``name@version``; a second registration of the same name is an error."""

    def register(function: RuleFunction) -> RuleFunction:
        if (name, version) in _RULES:
            raise ValueError(f"rule {name}@{version} is registered twice")
        _RULES[(name, version)] = function
        return function

    return register


def find(name: str, version: int) -> RuleFunction:
    """Return a registered rule; raises ``ENVIRONMENT`` when a definition names one that is not here."""
    try:
        return _RULES[(name, version)]
    except KeyError:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=f"named rule {name}@{version}",
            expected="a registered function",
            found="none",
            remedy="Install the release that carries this rule.",
        ) from None


def known(name: str, version: int) -> bool:
    """Return whether ``name@version`` is a registered rule."""
    return (name, version) in _RULES


def source_hash(name: str, version: int) -> str:
    """Return the SHA-256 (hex) of the rule's source text, as the definition carries it."""
    return hashlib.sha256(inspect.getsource(find(name, version)).encode()).hexdigest()


@functools.cache
def mentions(name: str, version: int, text: str) -> bool:
    """Return whether the rule's source holds a text, such as the name of something it looks for."""
    return text in inspect.getsource(find(name, version))
