"""An alert that concerns one person, raised by the installation."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "kind": "denial_burst",
        "severity": "warning",
        "what": "Many refusals within a minute.",
        "concerns": [w.any("user")],
        "bucket": w.unique("denial_burst/"),
        "raised_at": f"{w.day()}T08:00:00Z",
        "escalate_at": f"{w.day()}T12:00:00Z",
        "recipients": ["SEC"],
    },
    acts={
        "acknowledge": lambda w, row: {"action": "Asked; it was a mistyped number."},
        "escalate": lambda w, row: {"recipients": ["SEC", "QA"]},
        "answer": lambda w, row: {"owner_says": "it_was_me"},
    },
)
