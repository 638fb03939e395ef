"""Types that have a page of their own beside the one every record has."""

from __future__ import annotations

PAGES: dict[str, str] = {
    "access_review": "/admin/access-review/{}",
    "analysis_run": "/runs/{}",
    "image": "/images/{}",
    "review_case": "/review/{}",
    "user": "/admin/people/{}",
}
"""Record type -> address of its page, ``{}`` standing for the record's reference."""


def address(type: str, reference: str) -> str:
    """Return where a record is looked at."""
    return PAGES.get(type, "/r/{}").format(reference)
