"""A second site, regulated in Europe only; each example has a code of its own."""

from __future__ import annotations

from random import choices
from string import ascii_uppercase

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "name": "Second site",
        "code": "".join(choices(ascii_uppercase, k=4)),
        "address": "2 Slide Street",
        "tz": "Europe/Berlin",
        "regulated_as": [{"authority": "eu", "predicate": "drug"}],
        "time_source": "none",
    },
    acts={"amend": lambda w, row: {"address": "3 Slide Street"}},
)
