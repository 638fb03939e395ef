"""What a check of the ledger found, named closely enough to be looked at.

Rules kept here: a finding says where (tree index, entry id, record number, version, field) as far as that
is known; findings are kept up to a limit and counted beyond it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Final

MAX_FINDINGS: Final = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement. ``kind`` names what was compared; ``index`` is the tree index."""

    kind: str
    message: str
    index: int | None = None
    entry_id: int | None = None
    record: str = ""
    version: int | None = None
    field: str = ""

    def sentence(self) -> str:
        """Return the finding as one plain sentence."""
        places = [
            f"{word} {value}"
            for word, value in (
                ("index", self.index), ("entry", self.entry_id), ("record", self.record or None),
                ("version", self.version), ("field", self.field or None),
            )
            if value is not None
        ]  # fmt: skip
        return f"{self.kind}: {', '.join(places)}{': ' if places else ''}{self.message}"

    def value(self) -> dict[str, Any]:
        """Return the finding for JSON output, without what is not known."""
        return {key: found for key, found in asdict(self).items() if found not in (None, "")}


@dataclass(slots=True)
class Report:
    """Findings and counts of one check. It holds when there is no finding."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, message: str, **where: Any) -> None:
        """Note a finding; beyond the limit it is only counted."""
        self.counts["findings"] += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(kind, message, **where))

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return self.counts["findings"] == 0


def differing(one: Any, other: Any, path: str = "") -> list[str]:
    """Return the paths at which two JSON values differ, sorted, at most 20; the root is ``(all)``."""
    found = sorted(_paths(one, other, path))
    return found[:20]


def _paths(one: Any, other: Any, path: str) -> set[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        found: set[str] = set()
        for key in one.keys() | other.keys():
            step = f"{path}.{key}" if path else str(key)
            if key not in one or key not in other:
                found.add(step)
            else:
                found |= _paths(one[key], other[key], step)
        return found
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return {
            step
            for n, (a, b) in enumerate(zip(one, other, strict=True))
            for step in _paths(a, b, f"{path}[{n}]")
        }
    return set() if one == other and type(one) is type(other) else {path or "(all)"}
