"""A calibration of an instrument of its own, within its limits."""

from __future__ import annotations

from fix_world import Example


def _point(reading: str) -> dict[str, str]:
    return {"point": "10 um", "nominal": "10.00", "reading": reading, "limit": "0.05", "unit": "um"}


EXAMPLE = Example(
    create=lambda w: {
        "instrument": w.new("instrument"),
        "performed_on": w.day(),
        "standard": "Micrometer SM-7",
        "standard_certificate": "C-1",
        "standard_expires": w.day(300),
        "as_found": [_point("10.01")],
        "next_due": w.day(300),
    },
    acts={"correct": lambda w, row: {"environment": "21 C"}},
)
