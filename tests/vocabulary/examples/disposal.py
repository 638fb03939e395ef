"""A study whose retention is over is let go: owner, quality, who did it, who saw it."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World

OWNER, QUALITY, ALL_ROUND = "bench1", "quality1", "otto"


def _over(w: World) -> str:
    """Return a study approved long ago, so that the shortest of its periods is over."""
    number = str(w.new("study", "terminated"))
    event = {"event": "approval", "on": "2020-01-31", "source": "letter on file"}
    w.do(number, "record_events", retention_events=[event])
    return number


def _study(row: Row) -> str:
    return str(row.fields["records"][0]["number"])


def _preserved(w: World, row: Row) -> None:
    w.create("legal_hold", subjects=[_study(row)])


def _submitted(w: World, row: Row) -> None:
    event = {"event": "submission", "on": w.day()[:7], "source": "letter on file"}
    w.do(_study(row), "record_events", retention_events=[event])


def _gone(w: World, row: Row) -> None:
    other = w.create("disposal", by=QUALITY, records=[_study(row)])
    w.do(other, "propose", by=QUALITY)
    w.to(other, "executed")


def _proposed_by_otto(w: World, state: str) -> str:
    owner = ALL_ROUND if state == "proposed" else OWNER
    number = w.create("disposal", by=ALL_ROUND, owner=w.number_of(owner))
    w.do(number, "propose", by=ALL_ROUND)
    return str(w.to(number, state))


def _owned_by_otto(w: World, state: str) -> str:
    number = w.create("disposal", by=QUALITY, owner=w.number_of(ALL_ROUND))
    w.do(number, "propose", by=QUALITY)
    return str(w.to(number, state))


_MAY_GO = {
    "No legal hold preserves them": _preserved,
    "The retention of every record is over": _submitted,
    "None was disposed of before": _gone,
}
_AS_LISTED = {**_MAY_GO, "Nothing changed since it was listed": _submitted}

EXAMPLE = Example(
    create=lambda w: {
        "title": "Studies approved in 2020",
        "basis": "SOP on disposal, section 4.",
        "owner": w.number_of(OWNER),
        "records": [_over(w)],
        "archive_check": "Bundles verified offline, report in the archive.",
    },
    acts={"execute": lambda w, row: {"method": "media_destroyed", "certificate": w.file("certificate.pdf")}},
    breaks={
        "propose": _MAY_GO,
        "approve_as_owner": _AS_LISTED,
        "approve": _AS_LISTED,
        "execute": _AS_LISTED,
    },
    nobody={
        "approve_as_owner": "Only the owner named acts; the owner who proposed is tried in test_disposal.py."
    },
    selves={"proposer": _proposed_by_otto, "owner": _owned_by_otto, "owner_signer": _owned_by_otto},
)
