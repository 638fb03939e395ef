"""A watch on a record of its own, as somebody watches one record only once."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(create=lambda w: {"subject": w.new("comment")})
