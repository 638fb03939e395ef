"""Drafts: one version that would be written, and everything a decision is made from.

Rules kept here: data only; a draft holds the full content of its version, never a patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from coverslip.kernel import words as w
from coverslip.kernel.change import Change, Context
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.rows import Row


@dataclass(frozen=True)
class Draft:
    """One version that would be written: the full content, and what goes beside it."""

    definition: Definition
    uid: str
    act: str
    version: int
    base: Row | None
    content: dict[str, Any]
    reason: str = ""
    snapshot: dict[str, Any] | None = None
    signature: w.Signature | None = None

    @property
    def number(self) -> str:
        """The record's number."""
        return str(self.content["number"])

    @property
    def revision(self) -> int:
        """Revision, 0 where the type has none."""
        return int(self.content.get("revision", 0))

    @property
    def state(self) -> str:
        """State after the act."""
        return str(self.content["state"])

    @property
    def fields(self) -> dict[str, Any]:
        """Fields after the act."""
        found: dict[str, Any] = self.content["fields"]
        return found

    def as_row(self, leaf_hash: str = "") -> Row:
        """Return the row this draft becomes."""
        seq = (self.base.seq if self.base else 0) + 1
        return Row(
            self.definition.name,
            self.uid,
            self.number,
            self.revision,
            self.version,
            seq,
            self.state,
            str(self.content["title"]),
            str(self.content["gxp"]),
            leaf_hash,
            self.definition.hash,
            self.content,
            str(self.content["created_at"]),
            str(self.content["created_by"]),
            "",
            "",
            str(self.content.get("site", "")),
            self.base.blockers if self.base else (),
        )


@dataclass(frozen=True)
class Created:
    """A record made as a consequence. ``links`` names its fields that point to the record ``parent`` (uid),
    to be completed with the hash of that record's entry once it is built."""

    draft: Draft
    links: tuple[str, ...]
    parent: str


class Take(Protocol):
    """Gives (uid, number) of the n-th record of a type that one command makes; the same when asked again."""

    def __call__(
        self, definition: Definition, index: int, fields: Mapping[str, Any], number: str = ""
    ) -> tuple[str, str]:
        """Return them; ``number`` is given where it is the next version of a record that is there."""
        ...


@dataclass(frozen=True)
class Ids:
    """New ids and numbers a decision may use: the record's own, and those of records it makes."""

    uid: str
    number: str
    take: Take


@dataclass(frozen=True)
class Request:
    """Everything a decision is made from, besides facts."""

    catalogue: Catalogue
    definition: Definition
    change: Change
    context: Context
    ids: Ids
    found: Mapping[tuple[str, int], Row]
    gathered: Mapping[str, Any]
    previous: Row | None = None
    """The latest revision, where a new one is wanted."""


def expand(definition: Definition, states: tuple[str, ...]) -> tuple[str, ...]:
    """Return states with ``*live`` replaced by every state that is not terminal."""
    if "*live" not in states:
        return states
    return tuple(s.name for s in definition.type.states if not s.terminal)


def title_of(declared: w.Type, fields: dict[str, Any]) -> str:
    """Return what people read beside the number, from the declared title field."""
    value = fields.get(declared.title_field, "")
    if isinstance(value, dict):
        return str(value.get("number") or value.get("name") or "")
    return str(value)[:200]
