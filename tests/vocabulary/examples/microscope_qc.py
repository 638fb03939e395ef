"""The daily check of an instrument of its own, within its limits."""

from __future__ import annotations

from typing import Any

from fix_world import Example


def checks(value: str) -> list[dict[str, Any]]:
    """Return one check with a value, its limits 0.4 to 0.6."""
    return [{"check": "field illumination", "value": value, "low": "0.4", "high": "0.6"}]


EXAMPLE = Example(
    create=lambda w: {
        "instrument": w.new("instrument", "in_service"),
        "frequency": "daily",
        "performed_on": w.day(),
        "checks": checks("0.5"),
        "next_due": w.day(1),
        "room_temperature": {"value": "21.4", "unit": "Cel"},
    },
    breaks={
        "create": {
            "has a limit": lambda w, row: {"checks": [{"check": "flatness", "value": "1"}]},
            "next check is due after": lambda w, row: {"next_due": w.day()},
        },
        "edit": {
            "has a limit": lambda w, row: {"checks": [{"check": "flatness", "value": "1"}]},
            "next check is due after": lambda w, row: {"next_due": w.day(-1)},
        },
        "accept": {"is outside 0.4": lambda w, row: w.do(row.number, "edit", checks=checks("0.7"))},
    },
)
