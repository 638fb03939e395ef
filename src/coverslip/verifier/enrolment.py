"""Whose key is whose: personal signing keys as the log itself enrols them.

A key stands in its owner's ``user`` record (``content.fields.signing_keys``). It counts from the entry
on in which the second of two things is true:

1. an entry of that record carries the key and is signed with it by its owner (possession), and
2. a later entry of that record carrying it is signed ``verified`` by another person whose key counts.

During genesis no key can count yet: there a founder's ``verified`` needs only a key proven by
possession, and what founders sign is judged when genesis is over. A key that leaves the record stops
counting; should it come back, both things are asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coverslip.verifier import shape
from coverslip.verifier.report import BundleError
from coverslip.verifier.statement import Signature

Key = tuple[str, str, str]
"""(kid, scheme, public key in hex)."""


@dataclass(slots=True)
class _Person:
    carried: set[Key] = field(default_factory=set)
    proven: set[Key] = field(default_factory=set)
    counts: set[Key] = field(default_factory=set)


class Enrolment:
    """Keys of all persons as of the entry taken last."""

    def __init__(self) -> None:
        self._persons: dict[str, _Person] = {}
        self._waiting: list[tuple[int, str, Key]] = []
        self.genesis_keys = 0
        self.later_keys = 0

    def carry(self, person: str, content: Mapping[str, Any]) -> None:
        """Take the keys a user record now carries. Raises BundleError if they are not of the form."""
        keys: set[Key] = set()
        fields = shape.mapping("fields", content.get("fields", {}))
        for item in shape.array("signing_keys", fields.get("signing_keys", [])):
            one = shape.keys("signing key", item, "kid scheme public", "enrolled_at")
            keys.add(tuple(shape.text(name, one[name]) for name in ("kid", "scheme", "public")))  # type: ignore[arg-type]
        known = self._persons.setdefault(person, _Person())
        known.carried = keys
        known.proven &= keys
        known.counts &= keys

    def counts(self, person: str, key: Key) -> bool:
        """Return whether a key is its person's, proven and verified, as of the entry taken last."""
        return key in self._persons.get(person, _Person()).counts

    def sign(self, index: int, made: Signature, owner: str, genesis: bool) -> None:
        """Take a signature that holds; ``owner`` is the user record's id if its entry is one, else empty.

        Raises BundleError if the key is not the signer's at this entry.
        """
        key = (made.kid, made.scheme, made.public.hex())
        signer = self._persons.get(made.person, _Person())
        if key not in signer.carried:
            raise BundleError(f"the key {made.kid} is not in the user record of its signer")
        if owner and owner == made.person and key not in signer.counts:
            signer.proven.add(key)
            return
        if genesis and key in signer.proven:
            self._waiting.append((index, made.person, key))
        elif key not in signer.counts:
            raise BundleError(
                f"the key {made.kid} of {made.name} is enrolled, but nobody has verified its owner"
            )
        if owner and owner != made.person and made.meaning == "verified":
            self._verify(self._persons.setdefault(owner, _Person()), genesis)

    def _verify(self, person: _Person, genesis: bool) -> None:
        fresh = person.proven & person.carried - person.counts
        person.counts |= fresh
        if genesis:
            self.genesis_keys += len(fresh)
        else:
            self.later_keys += len(fresh)

    def end_genesis(self) -> Iterator[tuple[int, str]]:
        """Yield (index, sentence) for each signature of genesis whose key was not verified by its end."""
        for index, person, key in self._waiting:
            if key not in self._persons.get(person, _Person()).counts:
                yield index, f"the founder's key {key[0]} was not verified by another founder during genesis"
        self._waiting.clear()
