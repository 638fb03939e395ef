"""Duties: what the keeper of an installation does by itself, put together."""

from __future__ import annotations

from coverslip.bootstrap.labs import Lab
from coverslip.keeper.loop import Duty


def duties(lab: Lab) -> list[Duty]:
    """Return everything that has to happen by itself, most urgent first."""
    del lab
    return []
