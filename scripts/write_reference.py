"""Write the pages of ``docs/reference`` that are generated from the source.

``docs/reference/errors.md`` comes from the error catalogue; ``tests/docs/test_reference.py`` holds the two
equal.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from coverslip.clauses import control_of  # noqa: E402 -- the source tree first, installed or not
from coverslip.errors import CATALOGUE, ErrorSpec  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "errors.md"

HEAD = """\
# Errors

Written by `make docs` from `src/coverslip/errors.py`; change it there.

An error is a code with values, and a code never changes its meaning. Pages, command line and API (problem
details, RFC 9457) show the same sentence. A word in braces is filled in. *Rule* is the control the refusal
enforces, *clause* the regulation behind it. *Recorded* says how the refusal reaches the ledger.
"""

FAMILIES = {
    "refused": ("Refused", "The act is not permitted to you, or not now."),
    "conflict": ("Conflict", "What was read has changed meanwhile; read again, and it may succeed."),
    "invalid": ("Invalid", "Content is missing, malformed or outside its limits."),
    "not_found": ("Not found", "Nothing is stored under this name."),
    "evidence": (
        "Evidence broken",
        "Stored bytes disagree with their evidence; work stops until somebody looks.",
    ),
    "environment": ("Environment", "Something outside the records cannot do its part."),
}
RECORDED = {
    "each": "each refusal is an entry",
    "per_minute": "one entry per person or address, rule and minute, with a count",
    "no": "not an entry of its own",
}


def _section(spec: ErrorSpec) -> str:
    lines = [f"### {spec.code}", "", f"> {spec.template}", "", f"- HTTP status: {spec.status}"]
    if spec.remedy:
        lines.append(f"- What to do: {spec.remedy}")
    if spec.rule:
        control = control_of(spec.rule)
        lines.append(f"- Rule: `{spec.rule}` ({control.title})")
    if spec.clause:
        lines.append(f"- Clause: {spec.clause}")
    lines.append(f"- Recorded: {RECORDED[spec.recorded]}")
    return "\n".join(lines)


def errors_page() -> str:
    """Return the text of ``docs/reference/errors.md``: families, and codes in the catalogue's order."""
    parts = [HEAD]
    for family, (title, meaning) in FAMILIES.items():
        parts.append(f"## {title}\n\n{meaning}\n")
        parts += [_section(spec) + "\n" for spec in CATALOGUE.values() if spec.family == family]
    return "\n".join(parts)


def main() -> int:
    """Write the pages."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(errors_page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(CATALOGUE)} errors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
