"""No act brings about what asks for a signature of its own: nobody would have signed it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from coverslip.errors import EnvironmentFault
from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue
from coverslip.records import all_types


def _back_door(effect: w.Effect) -> w.Type:
    """Return a type whose act does nothing but ``effect``."""
    fields: dict[str, Any] = {
        "title": w.Field(w.Text(), "Title"),
        "grant": w.Field(w.Link(("role_grant",), "none"), "Grant"),
    }
    states = (w.State("open"), w.State("shut"))
    act = w.Transition("shut", "Shut", ("open",), "shut", ("ANL",), effects=(effect,))
    return w.Type(
        name="door", title="Door", version=1, purpose="A door.", number=w.Number("XDO"), gxp="gmp",
        title_field="title", fields=fields, states=states, create=w.Making(("ANL",), "open"),
        transitions=(act,), retention=w.Retention("SYS"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "effect",
    [
        w.Do(("grant",), "approve"),
        w.DoEach("role_grant", "person", "approve"),
        w.Create("esign_acknowledgement", "", {"statement": w.Value("literal", "I read it.")}),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_is_signed_is_no_consequence(effect: w.Effect) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        Catalogue((*all_types(), _back_door(effect)))
    assert "signed, and nobody would sign it" in str(caught.value)


def test_what_is_not_signed_may_be_one() -> None:
    door = _back_door(w.Do(("grant",), "expire"))
    assert Catalogue((*all_types(), replace(door, title="Way")))["door"]
