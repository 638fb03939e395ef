"""What a verification found: findings, what holds, what is not proven, and the exit code they make.

Rules kept here:

* A finding names its part, and entry index, record number and field where they are known.
* A finding always outranks "could not be determined"; nothing turns a finding into a pass.
* Hostile input cannot fill memory with findings: beyond ``MAX_FINDINGS`` they are only counted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

HOLDS: Final = 0
FINDING: Final = 1
USAGE: Final = 2
UNDETERMINED: Final = 3
MAX_FINDINGS: Final = 200
EVALUATION_NOTICE: Final = "evaluation installation, clock not attested, not for GxP use"


class BundleError(ValueError):
    """Bytes of a bundle that are not of the form they must have; the message says what is wrong."""


class UsageError(Exception):
    """Wrong usage or untrusted keys: exit code 2."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement. ``part`` is a member path or a structure; ``entry`` a tree index."""

    part: str
    message: str
    entry: int | None = None
    record: str = ""
    field: str = ""

    def sentence(self) -> str:
        """Return the finding as one plain sentence."""
        places = [self.part]
        if self.entry is not None:
            places.append(f"entry {self.entry}")
        if self.record:
            places.append(f"record {self.record}")
        if self.field:
            places.append(f"field {self.field}")
        return f"{', '.join(places)}: {self.message}"

    def value(self) -> dict[str, Any]:
        """Return the finding for ``--json``."""
        found: dict[str, Any] = {"part": self.part, "message": self.message}
        if self.entry is not None:
            found["entry"] = self.entry
        return found | {key: text for key, text in (("record", self.record), ("field", self.field)) if text}


@dataclass(slots=True)
class Report:
    """Collects the outcome of one verification."""

    bundle: str = ""
    notice: str = ""
    incomplete: str = ""
    holds: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    found: int = 0
    undetermined: list[str] = field(default_factory=list)
    not_proven: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    untrusted: str = ""

    def add(
        self, part: str, message: str, *, entry: int | None = None, record: str = "", field: str = ""
    ) -> None:
        """Record one finding."""
        self.found += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(part, message, entry, record, field))

    @property
    def exit_code(self) -> int:
        """0 holds, 1 a finding, 2 untrusted keys, 3 could not be determined."""
        if self.untrusted:
            return USAGE
        if self.found:
            return FINDING
        return UNDETERMINED if self.undetermined else HOLDS

    @property
    def verdict(self) -> str:
        """Return what follows ``verdict:`` on the last line."""
        if self.untrusted:
            return "not judged: untrusted keys"
        if self.found:
            return f"does not hold: {self.found} finding(s)"
        return "could not be determined" if self.undetermined else "holds"

    def text(self) -> str:
        """Return the whole report; its last line is the verdict."""
        lines = [f"Evidence bundle {self.bundle}"]
        lines += [text for text in (self.notice, self.incomplete) if text]
        if self.untrusted:
            lines += ["", self.untrusted, "Nothing in the bundle was judged."]
        lines += _block("On the record", self.notices)
        lines += _block("Holds", self.holds) + _block("Findings", [one.sentence() for one in self.findings])
        if self.found > len(self.findings):
            lines.append(f"- and {self.found - len(self.findings)} more, not listed")
        lines += _block("Could not be determined", self.undetermined)
        lines += _block("Not proven", self.not_proven)
        return "\n".join([*lines, "", f"verdict: {self.verdict}"]) + "\n"

    def json(self) -> str:
        """Return the report as one JSON object."""
        value = {
            "bundle": self.bundle, "verdict": self.verdict, "exit": self.exit_code, "notice": self.notice,
            "incomplete": self.incomplete, "untrusted": self.untrusted, "holds": self.holds,
            "findings": [one.value() for one in self.findings], "findings_total": self.found,
            "undetermined": self.undetermined, "not_proven": self.not_proven, "notices": self.notices,
        }  # fmt: skip
        return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _block(title: str, items: list[str]) -> list[str]:
    return ["", f"{title}:", *(f"- {item}" for item in items)] if items else []
