"""Finding the record a number names."""

from __future__ import annotations

from coverslip.application.services import Services
from coverslip.errors import NotFound
from coverslip.kernel.content import parse_reference
from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row


def reference(text: str) -> tuple[str, int]:
    """Read a record's number, with or without a version: ``SOP-0012``, ``SOP-0012v3``.

    Raises ``NOT_FOUND`` for what is no number.
    """
    found = parse_reference(text[:80])
    if found is None:
        raise NotFound("NOT_FOUND", what="record", record=text[:60])
    return found


def find(services: Services, number: str) -> Row:
    """Return the record a number names: the version named, else the one in force, else the latest.

    Raises ``NOT_FOUND``.
    """
    row = services.reading.find(*reference(number))
    if row is None:
        raise NotFound("NOT_FOUND", what="record", record=number[:60])
    return row


def type_named(services: Services, name: str) -> Definition:
    """Return the definition in force of a record type. Raises ``NOT_FOUND``."""
    definition = services.catalogue.get(name)
    if definition is None:
        raise NotFound("NOT_FOUND", what="record type", record=name[:60])
    return definition
