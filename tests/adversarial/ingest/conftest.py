"""Fixtures: the runner of scenarios under faults."""

from __future__ import annotations

from fix_faults import faults

__all__ = ["faults"]
