"""Navigation: the areas of the menu, and the address of every record.

Rules kept here: the menu is built from the types there are; a type of one laboratory has its place like any
other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coverslip.application.services import Services
from coverslip.records import areas
from coverslip.web import special

if TYPE_CHECKING:
    from coverslip.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the menu. ``key`` is what a page calls itself to be marked as the current one."""

    icon: str
    label: str
    href: str
    key: str


_FIXED: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        "",
        (
            ("home", "My work", "/work", "work"),
            ("clipboard-check", "Review and release", "/review", "review"),
        ),
    ),
    (
        "Imaging",
        (
            ("flask", "Studies", "/types/study", "study"),
            ("photo", "Images", "/images", "image"),
            ("topology-star-3", "Analysis runs", "/types/analysis_run", "analysis_run"),
            ("microscope", "Instruments", "/types/instrument", "instrument"),
            ("folder", "All imaging records", "/types#imaging", "imaging"),
        ),
    ),
    (
        "Quality",
        (
            ("file-text", "Documents", "/documents", "documents"),
            ("school", "Training", "/training", "training"),
            ("alert-triangle", "Deviations", "/types/deviation", "deviation"),
            ("tool", "CAPA", "/types/capa", "capa"),
            ("git-branch", "Change control", "/types/change", "change"),
            ("checklist", "All quality records", "/types#quality", "quality"),
        ),
    ),
    (
        "Assurance",
        (
            ("history", "Audit trail", "/audit", "audit"),
            ("shield-check", "Integrity", "/integrity", "integrity"),
            ("eye", "Inspections", "/inspections", "inspections"),
        ),
    ),
    (
        "Administration",
        (("users", "People and roles", "/admin/people", "people"), ("help", "Help", "/help", "help")),
    ),
)


_READING = (
    ("", (("eye", "Inspections", "/inspections", "inspections"),)),
    *(
        (f"In scope: {title.lower()}" if title != "Assurance" else title, kept)
        for title, items in _FIXED
        if title in ("Imaging", "Quality", "Assurance")
        for kept in (tuple(one for one in items if one[3] != "inspections"),)
    ),
    (
        "Access and help",
        (("users", "People and roles", "/admin/people", "people"), ("help", "Help", "/help", "help")),
    ),
)
"""What an inspector's menu has: what there is to read, and nothing that waits for somebody."""


def groups(services: Services, visit: Visit) -> list[tuple[str, list[Item]]]:
    """Return the menu: groups with their items; a type the installation lacks has no line."""
    found = []
    for title, items in _READING if visit.reader else _FIXED:
        shown = [Item(*one) for one in items if _there(services, one[2])]
        if shown:
            found.append((title, shown))
    return found


def _there(services: Services, address: str) -> bool:
    name = address.removeprefix("/types/")
    return name == address or services.catalogue.get(name) is not None


AREA_TITLES = {
    "imaging": "Imaging and analysis",
    "documents": "Documents and training",
    "quality": "Quality",
    "production": "Production",
    "organisation": "People and organisation",
    "collaboration": "Beside records",
    "": "Types of this laboratory",
}


def by_area(services: Services) -> list[tuple[str, str, list[Any]]]:
    """Return (area, its title, definitions by title) of every type there is; own types last."""
    known = areas()
    found: dict[str, list[Any]] = {area: [] for area in AREA_TITLES}
    for definition in services.catalogue:
        found.setdefault(known.get(definition.name, ""), []).append(definition)
    return [
        (area, AREA_TITLES.get(area, area.capitalize()), sorted(types, key=lambda d: d.type.title))
        for area, types in found.items()
        if types
    ]


def href(value: Any, type: str = "") -> str:
    """Return the address of a record: of a row, of a link, or of its number.

    Types with a page of their own have it there; every record also stands at ``/r/NUMBER``.
    """
    from coverslip.web.templating import ref

    name = type or (value.get("type", "") if isinstance(value, dict) else getattr(value, "type", ""))
    return special.address(str(name), ref(value))
