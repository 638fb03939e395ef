"""Words that several record types share, and the rules behind them.

Rules kept here: nothing acts; a helper only shortens a declaration that would otherwise be repeated
word for word, so that two types cannot drift apart in it.
"""

from __future__ import annotations

from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule

REGULATED = "gmp"
"""Default regime of shipped types; a sandbox record becomes ``none``."""
HEX_64 = "[0-9a-f]{64}"


def sandbox(*path: str) -> w.Sandbox:
    """Return the mark of records below a study that lies at ``path``."""
    return w.Sandbox(path, "kind", "sandbox")


HASH = w.Text(64, 64, HEX_64)
"""SHA-256 as 64 lower-case hex digits."""


def signing(
    meaning: str, text: str, roles: tuple[str, ...] = (), independent_of: tuple[str, ...] = ()
) -> w.Signature:
    """Return a signature asked at full stage: identity verified and policy acknowledged."""
    return w.Signature(meaning, text, roles, independent_of)


VOIDED = w.State("voided", terminal=True, locked=True, voided=True)
"""Where a record goes that should not have been made: out of lists, kept in every search and export."""


def void(from_: tuple[str, ...] = ("*live",), who: tuple[str, ...] = ("QA",)) -> w.Transition:
    """Return the act that ends in ``VOIDED``: signed, with a reason (DOMAIN 1.3)."""
    said = "I void this record for the reason given; it stays in every search and export."
    return w.Transition(
        "void",
        "Void",
        from_,
        "voided",
        who,
        signature=signing("voided", said, who),
        reason=w.Reason(20),
        aside=True,
    )


def amend(
    from_: tuple[str, ...], to: str, who: tuple[str, ...], clears: tuple[str, ...], **more: Any
) -> w.Transition:
    """Return the act that opens a locked record again: the stage's signatures are asked anew (DOMAIN 2.6).

    What was signed stays in the history of the record; ``clears`` no longer counts.
    """
    return w.Transition("amend", "Amend", from_, to, who, reason=w.Reason(20), clears=clears, **more)


def computed_title(**reads: w.Path) -> w.Compute:
    """Return the effect that titles a record after the records it names, in the order given."""
    ordered = {f"r{i}_{name}": path for i, (name, path) in enumerate(reads.items())}
    return w.Compute("title", w.Rule("joined_title", 1, ordered))


def fixed(
    kind: w.Kind,
    label: str,
    states: tuple[str, ...],
    *,
    required: bool = False,
    many: bool = False,
    **more: Any,
) -> w.Field:
    """Return a field that the installation fills when it makes the record, and nobody changes after.

    ``states`` are all states of the type.
    """
    return w.Field(kind, label, required=required, many=many, source="computed", immutable_at=states, **more)


TITLE = w.Field(w.Text(300), "Title", source="computed", help="Formed from the records named.")


@rule("joined_title", 1)
def joined_title(inp: RuleInput) -> str:
    """Return the titles of what was read, in order of their names, joined for a list."""
    rows = [row for name in sorted(inp.reads) for row in inp.reads[name]]
    return " · ".join(row.title or row.label for row in rows)[:300]
