"""What founders are shown before they sign is what the founding has them sign."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from coverslip.kernel.genesis import Founder
from coverslip.records.founding import charter, to_sign

ROLES = {"ada": ("ADM",), "quinn": ("QA",), "aurel": ("AUT",)}


def key() -> Any:
    wrapped = {"scheme": "ed25519-wrapped", "enrolled_at": "2026-11-20T14:32:07Z"}
    return SimpleNamespace(kid="00" * 16, public="11" * 32, wrapped=wrapped)


def test_every_founder_reads_before_what_the_founding_has_them_sign() -> None:
    founders = tuple(Founder(name, name, f"{name}@lab.example", roles, "") for name, roles in ROLES.items())
    steps = charter(founders, {"title": "Site"})({name: key() for name in ROLES})
    for name, roles in ROLES.items():
        signs = [step.signs for step in steps if step.by == name and step.signs is not None]
        made = sorted((one.meaning, one.text) for one in signs)
        shown = to_sign("somebody", author="AUT" in roles, approver="QA" in roles)
        assert sorted((one.meaning, one.text) for one in shown) == made
