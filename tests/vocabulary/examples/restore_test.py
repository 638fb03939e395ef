"""A restore test whose restored system equals the live one."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "title": "Restore test of backup 1",
        "backup": "backup-1",
        "manifest": "0" * 64,
        "entries": 1200,
        "executed_at": w.lab.accounts.now()[:19] + "Z",
        "environment": "PostgreSQL 17",
        "seconds": 42,
        "result": "holds",
        "compared": {"entries": 1200},
        "found": 0,
    },
    acts={"review": lambda w, row: {"conclusion": "Everything was compared and is equal."}},
)
