"""A word on a study; each example a word of its own, as a record carries one only once."""

from __future__ import annotations

from uuid import uuid4

from fix_world import Example

EXAMPLE = Example(create=lambda w: {"subject": w.any("study"), "word": f"pilot {uuid4().hex[:12]}"})
