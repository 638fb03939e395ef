"""A comment on a study, asked of somebody and answered."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {"subject": w.any("study"), "text": "Why two wells?", "field": "title"},
    acts={"answer": lambda w, row: {"answer": "One is the control."}},
)
