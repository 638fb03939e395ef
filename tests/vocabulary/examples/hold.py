"""A hold on a record of its own, so that nothing shared stands still."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {"subject": w.new("change"), "reason": "The label of the tube cannot be read."}
)
