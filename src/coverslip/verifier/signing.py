"""Whether a signature belongs to the entry that carries it (P11-70).

The statement names log, record, version before, act, definition, sections, files and meaning; each is
compared with the entry's own leaf, so that a signature cannot be moved to another record, version,
act or installation. The key is judged by :mod:`coverslip.verifier.enrolment`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coverslip.ledger.leaf import Leaf
from coverslip.verifier.statement import Signature

_OWN = ("signature", "context")


def disagreements(made: Signature, leaf: Leaf, number: str) -> Iterator[tuple[str, str]]:
    """Yield (field, sentence) for each part of a statement that does not fit its entry.

    ``number`` is the record's number in the entry's own content, empty where it is not in the copy.
    """
    said, record = made.statement, leaf.record
    yield from _compare("log", said["log"], leaf.log)
    yield from _compare("record.kind", said["record"]["kind"], record.kind)
    yield from _compare("record.id", said["record"]["id"], record.id)
    if number:
        yield from _compare("record.number", made.number, number)
    base: Any = None if record.prev is None else {"ver": record.ver - 1, "leaf": record.prev}
    yield from _compare("base", said.get("base"), base)
    yield from _compare("def", said["def"], leaf.definition)
    yield from _compare("act", said["act"], leaf.act)
    yield from _compare("meaning", made.meaning, leaf.meaning)
    files = None if leaf.files is None else {"root": leaf.files.root, "count": leaf.files.count}
    yield from _compare("files", said.get("files"), files)
    yield from _sections(said["sections"], leaf)
    if made.person != leaf.actor.id:
        yield "signer", f"signed by {made.person}, but the entry was made by {leaf.actor.id}"
    if made.behalf.get("person") != leaf.actor.behalf:
        yield "signer", f"signed for {made.behalf.get('person')}, but the entry is for {leaf.actor.behalf}"
    own = leaf.body("signature")
    if own is not None and own.from_version is not None:
        yield "signature", f"a signature cannot be carried over from version {own.from_version}"


def _sections(said: dict[str, Any], leaf: Leaf) -> Iterator[tuple[str, str]]:
    """Sections entered with the entry must be named; those carried over may be, as the base covers them."""
    allowed = {ref.section: ref.commitment for ref in leaf.bodies if ref.section not in _OWN}
    needed = {ref.section for ref in leaf.bodies if ref.section in allowed and ref.from_version is None}
    for section in sorted(needed - said.keys()):
        yield section, "the section was entered with the signature, but the statement does not cover it"
    for section, commitment in sorted(said.items()):
        yield from _compare(section, commitment, allowed.get(section))


def _compare(name: str, said: Any, found: Any) -> Iterator[tuple[str, str]]:
    # bool is an int in Python: True == 1 must not pass for the same statement.
    if said != found or type(said) is not type(found):
        yield name, f"the signed statement says {said!r}, the entry has {found!r}"
