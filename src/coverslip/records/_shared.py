"""Words that several record types share, and the rules behind them.

Rules kept here: nothing acts; a helper only shortens a declaration that would otherwise be repeated
word for word, so that two types cannot drift apart in it.
"""

from __future__ import annotations

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


def computed_title(**reads: w.Path) -> w.Compute:
    """Return the effect that titles a record after the records it names, in the order given."""
    ordered = {f"r{i}_{name}": path for i, (name, path) in enumerate(reads.items())}
    return w.Compute("title", w.Rule("joined_title", 1, ordered))


TITLE = w.Field(w.Text(300), "Title", source="computed", help="Formed from the records named.")


@rule("joined_title", 1)
def joined_title(inp: RuleInput) -> str:
    """Return the titles of what was read, in order of their names, joined for a list."""
    rows = [row for name in sorted(inp.reads) for row in inp.reads[name]]
    return " · ".join(row.title or row.label for row in rows)[:300]
