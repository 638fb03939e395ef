"""Stored sections: cut the concatenated bytes of a body back into its sections.

Rules kept here: the leaf's lengths and order say where each section lies; bytes that do not fit are
broken evidence, never padded or guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coverslip.errors import EvidenceBroken
from coverslip.ledger.commitment import ERASABLE, SALT_SIZE
from coverslip.ledger.leaf import Leaf


def sections_of(parsed: Leaf, body: Mapping[str, Any]) -> dict[str, tuple[bytes, bytes]]:
    """Return section name -> (salt, content) of what is stored with an entry; erased ones are absent.

    ``body`` holds ``fixed``, ``fixed_salts``, ``erasable``, ``erasable_salts`` as bytes or ``None``.
    Raises ``EVIDENCE`` when stored lengths disagree with the leaf.
    """
    found: dict[str, tuple[bytes, bytes]] = {}
    for erasable, column in ((False, "fixed"), (True, "erasable")):
        wanted = [b for b in parsed.bodies if b.from_version is None and (b.section in ERASABLE) == erasable]
        content, salts = body.get(column), body.get(f"{column}_salts")
        if content is None or salts is None:
            continue
        content, salts = bytes(content), bytes(salts)
        if len(content) != sum(b.length for b in wanted) or len(salts) != SALT_SIZE * len(wanted):
            raise EvidenceBroken(
                "EVIDENCE",
                what=f"the {column} body of entry {parsed.entry}",
                expected=f"{sum(b.length for b in wanted)} bytes in {len(wanted)} sections",
                found=f"{len(content)} bytes",
            )
        at = 0
        for position, ref in enumerate(wanted):
            salt = salts[position * SALT_SIZE : (position + 1) * SALT_SIZE]
            found[ref.section] = (salt, content[at : at + ref.length])
            at += ref.length
    return found
