"""An algorithm that counts."""

from __future__ import annotations

from fix_world import Example, World


def _superseded(w: World) -> str:
    number = w.new("algorithm", "effective")
    w.to(w.revise(number), "effective")
    return f"{number} v1"


EXAMPLE = Example(
    create=lambda w: {
        "title": "Counting spots",
        "semver": "1.2.0",
        "kind": "classical",
        "source": "here",
        "entry_point": "spots:run",
        "code_hash": "ab" * 32,
        "env_digest": "cd" * 32,
        "operating_limits": {"intensity": 1},
        "intended_use": "Counting spots.",
        "deterministic": True,
    },
    consequences={"supersede": _superseded},
)
