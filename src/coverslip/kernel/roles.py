"""Titles of the shipped roles: how a role is called wherever people read.

Rules kept here: a role has one title, declared here; a person is never told to be the installation or an
instrument. A role of a site's own has no title here and is called by its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SERVICE = "SVC"
DEVICE = "DEV"
TITLES: Mapping[str, str] = {
    "ADM": "Application administrator",
    "QA": "Quality unit",
    "QAL": "Quality lead",
    "AUT": "Author",
    "REV": "Technical reviewer",
    "ANL": "Image analyst",
    "OPR": "Operator",
    "SDR": "Study director",
    "ENG": "Engineering",
    "WHS": "Warehouse",
    "PUR": "Supplier management",
    "MET": "Instrument custodian",
    "TRN": "Training administrator",
    "SEC": "Security officer",
    "INS": "Inspector",
    "SVC": "Service",
}
_NOT_FOR_PEOPLE: Mapping[str, str] = {
    SERVICE: "of the installation itself",
    DEVICE: "of a registered instrument",
}


def title(code: str) -> str:
    """Return a role in words: its title, else its code as words (``signed_by``: ``signed by``)."""
    return TITLES.get(code) or code.replace("_", " ")


def any_of(codes: Iterable[str]) -> str:
    """Return which role is needed, one of ``codes``; those no person can hold only where nobody else may."""
    found = tuple(codes)
    said = [title(code) for code in found if code not in _NOT_FOR_PEOPLE]
    said = said or [_NOT_FOR_PEOPLE[code] for code in found]
    return " or ".join(said) or "(nobody)"


def all_of(codes: Iterable[str]) -> str:
    """Return the roles somebody holds, in order of their titles."""
    return ", ".join(sorted(title(code) for code in codes)) or "none"


def remedy(codes: Iterable[str]) -> str:
    """Return what is to be done where only the installation or an instrument may act; empty otherwise."""
    found = set(codes)
    if not found or not found <= _NOT_FOR_PEOPLE.keys():
        return ""
    return "Nobody does this by hand: it happens by itself."
