"""Views: the one rendering that is read before signing, and that a signature names.

Rules kept here: nothing is signed but what was shown, byte for byte; sending a rendering is an entry, one for
each session and version (``kernel.views``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.application.finding import type_named
from coverslip.application.services import Services
from coverslip.errors import Invalid
from coverslip.kernel import history
from coverslip.kernel.change import Context
from coverslip.kernel.events import Event
from coverslip.kernel.rows import Row
from coverslip.kernel.view import render, render_new, shown_hash


@dataclass(frozen=True, slots=True)
class View:
    """A rendering as plain text, and its hash as a signature names it (hex SHA-256)."""

    text: str
    shown: str


def view(services: Services, row: Row) -> View:
    """Return a record as it would print now, with its signatures."""
    manifests = history.manifests(services.reading.history(row.uid))
    text = render(services.catalogue.under(row.type, row.definition), row, manifests)
    return View(text, shown_hash(text))


def open_view(services: Services, row: Row, context: Context) -> View:
    """Return a record as it would print now; that it was sent to this person is an entry."""
    found = view(services, row)
    detail = {"record": row.number, "version": row.version, "shown": found.shown}
    services.events.view(Event("view", "view", detail, row), context)
    return found


def open_image(services: Services, row: Row, context: Context) -> None:
    """Record that somebody looks at an image: one entry for each session and version, none for a tile."""
    detail = {"record": row.number, "version": row.version, "original": str(row.fields.get("root", ""))}
    services.events.view(Event("view", "open_image", detail, row), context)


def preview(services: Services, type: str, fields: Mapping[str, Any]) -> View:
    """Return what a new record will look like, so that it can be read before it is signed."""
    text = render_new(type_named(services, type), fields)
    return View(text, shown_hash(text))


def require_shown(shown: str, found: View, record: str) -> None:
    """Refuse a signature that names another view than the one there is (``VAL_FORM``)."""
    if shown != found.shown:
        raise Invalid(
            "VAL_FORM",
            record=record,
            field="shown",
            expected="the hash of the record as it is now",
            found="the hash of another view",
        )
