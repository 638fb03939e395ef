"""The words of a refinement: what a site may say about a shipped record type (DOMAIN 2.6).

Rules kept here:

* Each word adds or tightens one thing. There is no word that takes away, replaces or widens, so a patch
  cannot loosen whatever it says; types are never compared with each other.
* A field a site adds carries the prefix ``site_``, so that it can never stand in the place of something that
  a shipped declaration or rule looks at, now or in a later release.
* A patch is data, ``{"steps": [...]}`` in canonical JSON, each step named by its ``word``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from coverslip.errors import Invalid
from coverslip.kernel import words as w
from coverslip.kernel.content import has_control
from coverslip.ledger import canonical

PREFIX = "site_"
SITE_NAME = re.compile(r"site_[a-z0-9]+(_[a-z0-9]+)*")
MAX_STEPS = 200
MAX_BYTES = 60_000
MAX_DEPTH = 8
_ROLE = re.compile(r"[A-Z]{2,6}")
_PLACEHOLDER = re.compile(r"[a-z_]{1,30}")


class Step(msgspec.Struct, frozen=True, tag_field="word", forbid_unknown_fields=True, omit_defaults=True):
    """Base of all steps: frozen, tagged with its word, unknown keys refused."""


class AddField(Step, frozen=True, tag="add_field"):
    """A new field. It is asked on entering the states in ``required_at`` and can be given with those acts."""

    name: str
    kind: w.Kind
    label: str
    help: str = ""
    many: bool = False
    required_at: tuple[str, ...] = ()
    immutable_at: tuple[str, ...] = ()
    critical: bool = False
    sensitive: bool = False


class AddGuard(Step, frozen=True, tag="add_guard"):
    """A further condition of an act: one more guard beside those it has."""

    act: str
    guard: w.Guard


class RaiseReason(Step, frozen=True, tag="raise_reason"):
    """A reason of at least ``minimum`` characters, more than was asked until now."""

    act: str
    minimum: int


class RequireAt(Step, frozen=True, tag="require_at"):
    """A field there is, required on entering further states."""

    field: str
    states: tuple[str, ...]


class Narrow(Step, frozen=True, tag="narrow"):
    """Tighter limits of a field, or of a column as ``table.column``; only those given change."""

    field: str
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    low: int | str | None = None
    high: int | str | None = None
    places: int | None = None
    choices: tuple[str, ...] | None = None
    not_past: bool | None = None
    types: tuple[str, ...] | None = None
    allowed: tuple[str, ...] | None = None
    max_bytes: int | None = None
    min_rows: int | None = None
    max_rows: int | None = None
    required: bool | None = None


class Separate(Step, frozen=True, tag="separate"):
    """Further people of the record that whoever does the act must be independent of."""

    act: str
    persons: tuple[str, ...]


class AskSignature(Step, frozen=True, tag="ask_signature"):
    """A signature where none was asked, with a meaning that nothing else in the type has or looks for."""

    act: str
    meaning: str
    text: str
    roles: tuple[str, ...] = ()
    independent_of: tuple[str, ...] = ()


class ForbidDelegation(Step, frozen=True, tag="forbid_delegation"):
    """No delegate signs this act."""

    act: str


class MarkCritical(Step, frozen=True, tag="mark_critical"):
    """The field counts as critical: reviewers are shown it."""

    field: str


class FixField(Step, frozen=True, tag="fix_field"):
    """The field cannot change any more in further states."""

    field: str
    states: tuple[str, ...]


class AddSummary(Step, frozen=True, tag="add_summary"):
    """Further columns in lists."""

    fields: tuple[str, ...]


class NarrowWho(Step, frozen=True, tag="narrow_who"):
    """Fewer of the roles that may do the act."""

    act: str
    who: tuple[str, ...]


class NarrowSigners(Step, frozen=True, tag="narrow_signers"):
    """Fewer of the roles that may sign the act."""

    act: str
    roles: tuple[str, ...]


AnyStep = (
    AddField
    | AddGuard
    | RaiseReason
    | RequireAt
    | Narrow
    | Separate
    | AskSignature
    | ForbidDelegation
    | MarkCritical
    | FixField
    | AddSummary
    | NarrowWho
    | NarrowSigners
)


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of one refinement, in the order given."""

    steps: tuple[AnyStep, ...]


def refused(record: str, name: str, problems: list[str]) -> Invalid:
    """Return the error that lists everything a refinement cannot do."""
    return Invalid("REFINEMENT", record=record, type=name[:80], found="; ".join(problems), problems=problems)


def read(patch: Mapping[str, Any]) -> tuple[tuple[AnyStep, ...], list[str]]:
    """Return the steps of a patch, and what is wrong with its form; with a problem nothing is taken."""
    try:
        size = len(canonical.encode(patch))
    except (canonical.CanonicalError, RecursionError, TypeError) as error:
        return (), [f"the patch is not canonical JSON: {str(error)[:200]}"]
    if size > MAX_BYTES or _depth(patch) > MAX_DEPTH * 2:
        return (), [f"the patch is larger than {MAX_BYTES} bytes or {MAX_DEPTH} levels of conditions"]
    try:
        steps = msgspec.convert(patch, Patch).steps
    except (msgspec.ValidationError, RecursionError) as error:
        return (), [f"no word of a refinement says this: {str(error)[:300]}"]
    if not 0 < len(steps) <= MAX_STEPS:
        return (), [f"1 to {MAX_STEPS} steps are needed, there are {len(steps)}"]
    return steps, [f"step {i}: {problem}" for i, s in enumerate(steps, 1) for problem in _form(s)]


def _depth(value: Any) -> int:
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return 1 + max((_depth(item) for item in items), default=0)


def _form(step: AnyStep) -> Iterator[str]:
    """What a text of a step may not hold: unseen characters, and in messages anything but plain names."""
    for name, text in _texts(msgspec.to_builtins(step)):
        if has_control(text) or (not text.strip() and name in ("label", "text")):
            yield f"'{name}' is empty or holds characters nobody sees"
        elif name == "message":
            yield from _message(text)
    if isinstance(step, NarrowWho | NarrowSigners | AskSignature):
        for role in step.who if isinstance(step, NarrowWho) else step.roles:
            if not _ROLE.fullmatch(role):
                yield f"'{role[:20]}' is no role"


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, name)


def _message(text: str) -> Iterator[str]:
    """A message is filled in by name; a format specification or an attribute of what is filled in is not."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        yield "a message has a brace without its fellow"
        return
    for _, name, spec, conversion in parts:
        if name is not None and (spec or conversion or not _PLACEHOLDER.fullmatch(name)):
            yield f"a message fills in '{name[:40]}', which is not a plain name"
