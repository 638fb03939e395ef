"""A session on the laboratory's instrument, by its procedure."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "title": "Plate 7",
        "study": w.any("study"),
        "operator": w.any("user"),
        "instrument": w.any("instrument"),
        "method": w.row(w.any("document_sop")).label,
    },
    acts={
        "start": lambda w, row: {
            "settings": {"objective": "20x"},
            "checks": [{"check": "lamp", "result": "pass"}],
            "device_clock_offset_ms": 40,
            "room_temperature": {"value": "22.0", "unit": "Cel"},
            "room_humidity": {"value": "45", "unit": "%"},
        },
    },
    breaks={
        "start": {
            "Daily checks pass": lambda w, row: {
                "settings": {"objective": "20x"},
                "checks": [{"check": "lamp", "result": "fail"}],
            },
            "within 5 s": lambda w, row: {
                "settings": {"objective": "20x"},
                "device_clock_offset_ms": 5000,
            },
        }
    },
)
