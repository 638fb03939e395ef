"""A set of one available image; it is used by the first run on it."""

from __future__ import annotations

from fix_world import Example, World


def _used(w: World) -> str:
    run = w.new("analysis_run", "running")
    return str(w.row(run).fields["image_set"]["number"])


EXAMPLE = Example(
    create=lambda w: {
        "title": "Control wells of plate 1",
        "study": w.any("study"),
        "members": [w.any("image", "available")],
    },
    consequences={"use": _used},
)
