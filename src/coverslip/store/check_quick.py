"""The quick way past entries that hold: what most of a long ledger is made of.

Rules kept here:

* It decides one thing: that :class:`EntryCheck` would find nothing in this entry, and learn nothing from it
  but its newest version. Whatever it cannot decide, or finds wrong, goes the whole way and is named there.
* Nothing is left out: form, columns, chain, every section against its commitment. Only the parser is.
* Entries that carry keys, signatures, erasures, definitions or carried-over sections always go the whole way.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from coverslip.ledger import canonical
from coverslip.ledger.commitment import ERASABLE, SALT_SIZE
from coverslip.ledger.failure import CanonicalError
from coverslip.ledger.forms import MAX_FORMS, Form
from coverslip.store.check_entries import EntryCheck, Stream
from coverslip.store.feeds import Raw

__all__ = ["QuickCheck"]

_USUAL: Final = ("record", "session", "view", "refusal", "heartbeat", "export")
_LATER: Final = ("signature", "definition")
# HMAC-SHA-256 (RFC 2104) in two hashes: half the time of hmac.digest, which looks its algorithm up each time.
_INNER: Final = bytes(code ^ 0x36 for code in range(256))
_OUTER: Final = bytes(code ^ 0x5C for code in range(256))
_INNER_REST: Final = b"\x36" * (64 - SALT_SIZE)
_OUTER_REST: Final = b"\x5c" * (64 - SALT_SIZE)


@dataclass(frozen=True, slots=True)
class _Part:
    """A section: what its commitment's message begins with; places of commitment and length."""

    name: str
    prefix: bytes
    commitment: int
    length: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the values of a form are. ``about`` is -1 where there is none."""

    actor: int
    command: int
    about: int
    fixed: tuple[_Part, ...]
    erasable: tuple[_Part, ...]


class QuickCheck:
    """Takes entries before :class:`EntryCheck` does. Counts are added to its report by :meth:`finish`.

    ``at`` is the time of the entry taken last, in ASCII.
    """

    def __init__(self, entries: EntryCheck) -> None:
        self._entries = entries
        self._see, self._follow = entries.lines.see, entries.chains.follow
        self._plans: dict[Form, _Plan | None] = {}
        self._taken = self._sections = 0
        self.at = b""

    def take(self, row: Raw, hashed: bytes) -> bool:
        """Take an entry whose bytes have this hash if it holds; False, and nothing changed, if not surely."""
        stream, version, kind, actor, command, about, data, stored_hash = row[3:11]
        seen = self._see(data)
        if seen is None or stored_hash != hashed or self._entries.genesis:
            return False
        form, at, id, _, ver = seen
        try:
            plan = self._plans[form]
        except KeyError:
            plan = self._plan(form)
        if plan is None or form.kind != kind or id.decode() != stream or int(ver) != version:
            return False
        values = form.values(data)
        if values[plan.actor].decode() != actor or values[plan.command].decode() != command:
            return False
        if about is not None if plan.about < 0 else values[plan.about].decode() != about:
            return False
        content = self._opened(plan, values, row)
        if content is None:
            return False
        known = self._entries.streams.get(stream)
        number = known.number if known is not None else ""
        if content and not number:
            number = _number(content)
            if not number:
                return False
        if not self._follow(seen, hashed):
            return False
        if known is None:
            known = self._entries.streams[stream] = Stream(kind=kind)
        known.number, known.version, known.leaf_hash, known.newest = number, version, hashed, data
        if content:
            known.content = content
        self.at = at
        self._taken += 1
        self._sections += len(plan.fixed) + len(plan.erasable)
        return True

    def finish(self) -> None:
        """Add the counts to the report."""
        counts = self._entries.report.counts
        counts["entries"] += self._taken
        counts["sections"] += self._sections

    def _plan(self, form: Form) -> _Plan | None:
        if len(self._plans) >= MAX_FORMS:
            self._plans.clear()
        names = {name: place for place, name in enumerate(form.names)}
        usual = (
            form.log == self._entries.origin
            and form.type in _USUAL
            and form.kind != "user"
            and not form.meaning
            and not any(name.endswith(".from") for name in names)
            and not any(section in _LATER for section in form.sections)
        )
        parts = [
            _Part(section, section.encode() + b"\x00", names[f"bodies.{n}.c"], names[f"bodies.{n}.n"])
            for n, section in enumerate(form.sections)
        ]
        made = _Plan(
            names["actor.id"], names["cmd"], names.get("about.id", -1),
            tuple(one for one in parts if one.name not in ERASABLE),
            tuple(one for one in parts if one.name in ERASABLE),
        )  # fmt: skip
        found = self._plans[form] = made if usual else None
        return found

    def _opened(self, plan: _Plan, values: tuple[bytes, ...], row: Raw) -> bytes | None:
        """Return ``content`` (empty if there is none) if all sections open their commitments, else None."""
        has_body, fixed_salts, fixed, erasable_salts, erasable = row[11:16]
        if not has_body:
            return None if plan.fixed or plan.erasable else b""
        if fixed_salts is None or fixed is None or not (plan.fixed or plan.erasable):
            return None
        found = b""
        for parts, salts, body in (
            (plan.fixed, fixed_salts, fixed),
            (plan.erasable, erasable_salts, erasable),
        ):
            if salts is None or body is None:
                if parts:
                    return None
                continue
            at = place = 0
            for part in parts:
                end = at + int(values[part.length])
                text, salt = body[at:end], salts[place : place + SALT_SIZE]
                inner = sha256(salt.translate(_INNER) + _INNER_REST + part.prefix + text).digest()
                made = sha256(salt.translate(_OUTER) + _OUTER_REST + inner).hexdigest()
                if made.encode() != values[part.commitment]:
                    return None
                if part.name == "content":
                    found = text
                at, place = end, place + SALT_SIZE
            if at != len(body) or place != len(salts):
                return None
        return found


def _number(content: bytes) -> str:
    """Return the number a stream's first content gives it, empty where the whole check must look at it."""
    try:
        value = canonical.decode(content)
    except CanonicalError:
        return ""
    return str(value.get("number", "")) if isinstance(value, dict) else ""
