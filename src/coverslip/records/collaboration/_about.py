"""Words shared by records that are about another record.

Rules kept here: what is said about a record never changes that record: it is a stream of its own that links
there, so that a signature on the subject stays what it was. The version that was looked at is pinned. What
is said about a sandbox record is as unregulated as its subject.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import sandbox

KEPT_WITH = w.Retention(longest_of=("subject",))
"""Kept as long as what it is about."""
UNREGULATED = sandbox("subject")


def subject(states: tuple[str, ...]) -> w.Field:
    """Return the link to what the record is about, fixed for ever and pinned to the version looked at."""
    return w.Field(
        w.Link((), "version"), "About", required=True, immutable_at=states, critical=True,
        help="The number of any record.",
    )  # fmt: skip
