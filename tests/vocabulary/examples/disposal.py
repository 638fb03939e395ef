"""A study whose retention is over is let go: owner, quality, who did it, who saw it."""

from __future__ import annotations

from fix_world import Example, World


def _over(w: World) -> str:
    """Return a study approved long ago, so that the shortest of its periods is over."""
    number = w.new("study", "terminated")
    event = {"event": "approval", "on": "2020-01-31", "source": "letter on file"}
    w.do(number, "record_events", retention_events=[event])
    return number


EXAMPLE = Example(
    create=lambda w: {
        "title": "Studies approved in 2020",
        "basis": "SOP on disposal, section 4.",
        "owner": w.number_of(w.person("SDR")),
        "records": [_over(w)],
        "archive_check": "Bundles verified offline, report in the archive.",
    },
    acts={"execute": lambda w, row: {"method": "media_destroyed", "certificate": w.file("certificate.pdf")}},
)
