"""An alert that the installation raises about somebody; each example is a happening of its own."""

from __future__ import annotations

from uuid import uuid4

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "kind": "wrong_signing_secret",
        "severity": "warning",
        "what": "Three wrong secrets were given at signing.",
        "concerns": [w.number_of("maker1")],
        "bucket": f"example {uuid4().hex}",
        "raised_at": w.lab.accounts.now()[:19] + "Z",
        "escalate_at": w.lab.accounts.now()[:19] + "Z",
        "recipients": ["SEC"],
    },
    acts={
        "acknowledge": lambda w, row: {"action": "The person was asked and had mistyped."},
        "escalate": lambda w, row: {"recipients": ["SEC", "QA"]},
        "answer": lambda w, row: {"owner_says": "it_was_me"},
    },
)
