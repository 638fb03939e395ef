"""What a person may do with a record, and why not, asked of the door in advance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coverslip.application.assurance import Seal, broken
from coverslip.application.services import Services
from coverslip.errors import CoverslipError
from coverslip.kernel import words as w
from coverslip.kernel.change import Context
from coverslip.kernel.drafts import expand
from coverslip.kernel.rows import Row


@dataclass(frozen=True, slots=True)
class OpenAct:
    """One act on a record in the state it is in. ``refusal`` says why this person may not do it now."""

    name: str
    label: str
    declared: w.Transition | None
    signature: w.Signature | None
    refusal: CoverslipError | None

    @property
    def allowed(self) -> bool:
        """Whether it may be done now."""
        return self.refusal is None


def open_acts(services: Services, row: Row, context: Context, sealed: Seal | None = None) -> list[OpenAct]:
    """Return every act the state allows somebody, ``edit`` first; of an altered record all refused.

    ``sealed`` is what was found of its integrity just now, where that was asked already.
    """
    found = sealed or services.assurance.seal(row)
    broken_by = broken(row, found) if found is not None and found.state == "altered" else None
    asked = list(names(services, row))
    refusals = dict.fromkeys(asked, broken_by) if broken_by else services.door.offer_all(row, context, asked)
    return [_open(services, row, name, refusals[name]) for name in asked]


def names(services: Services, row: Row) -> Iterator[str]:
    """Yield the acts the state of a record allows somebody."""
    definition = services.catalogue[row.type]
    if definition.type.edit is not None:
        yield "edit"
    for one in definition.type.transitions:
        if not one.consequence and row.state in expand(definition, one.from_):
            yield one.name


def _open(services: Services, row: Row, name: str, refusal: CoverslipError | None) -> OpenAct:
    declared = services.catalogue[row.type].acts.get(name)
    # In a sandbox no signature is asked, so none is announced.
    signing = declared.signature if declared and not row.content.get("sandbox") else None
    return OpenAct(name, declared.label if declared else "Edit", declared, signing, refusal)
