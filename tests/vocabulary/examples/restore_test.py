"""A backup brought to life by the installation, equal to what is live."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "title": "Restore of last night",
        "backup": "2026-01-01",
        "manifest": "ab" * 32,
        "entries": 100,
        "executed_at": f"{w.day()}T03:00:00Z",
        "environment": "PostgreSQL 17",
        "seconds": 12,
        "result": "holds",
        "compared": {"entries": 100},
        "found": 0,
    },
    nobody={"review": "The installation runs the test, and no person does."},
    acts={"review": lambda w, row: {"conclusion": "Every entry is there."}},
)
