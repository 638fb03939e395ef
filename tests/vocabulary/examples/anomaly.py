"""A flag that warns, about one record and one person."""

from __future__ import annotations

from fix_world import Example

SAID = {"answer": "explained", "explanation": "The shift was moved; the plan says so."}


EXAMPLE = Example(
    create=lambda w: {
        "title": "Signed outside the hours of the site",
        "rule": "ANO-02",
        "window_from": "2026-11-20T20:00:00Z",
        "window_to": "2026-11-20T22:00:00Z",
        "severity": "warn",
        "subjects": [w.new("change")],
        "actors": [w.any("user")],
        "evidence": ["019aa000-0000-7000-8000-000000000001"],
    },
    acts={
        "assign": lambda w, row: {"assignee": w.number_of("checker1")},
        "answer": lambda w, row: dict(SAID),
        "answer_critical": lambda w, row: dict(SAID),
        "send_back": lambda w, row: {"assignee": w.number_of("checker2")},
    },
)
