"""Write the pages of ``docs/reference`` that are generated from the source.

``errors.md`` comes from the error catalogue, ``cli.md`` from the help texts of the commands, ``api.md`` from
the OpenAPI document of the application, ``records.md`` from the declarations of types.
``tests/docs/test_reference.py`` holds each equal to its source.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "scripts")]

from reference_records import records_page  # noqa: E402
from typer.main import get_command  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from coverslip.api.app import create_app  # noqa: E402
from coverslip.application.services import Services  # noqa: E402
from coverslip.clauses import control_of  # noqa: E402 -- the source tree first, installed or not
from coverslip.cli import app as commands  # noqa: E402
from coverslip.errors import CATALOGUE, ErrorSpec  # noqa: E402

FOLDER = ROOT / "docs" / "reference"

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


CLI_HEAD = """\
# Command line

Written by `make docs` from the commands' own help; change it in `src/coverslip/cli`.

People's and devices' commands are clients of a running server. Operators' commands (`init`, `serve`,
`doctor`, `migrate`, `ledger`, `vault`) work at the installation itself. `--json` prints for machines.

| Exit code | Meaning |
|---|---|
| 0 | what was asked holds or was done |
| 1 | a finding or a refusal |
| 2 | wrong usage, or keys that are not trusted |
| 3 | could not be determined |
"""


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name)


def cli_page() -> str:
    """Return the text of ``docs/reference/cli.md``: every command with its help, in the program's order."""
    parts = [CLI_HEAD]
    for path in _commands(get_command(commands)):
        shown = CliRunner().invoke(
            commands, [*path, "--help"], prog_name="coverslip", env={"COLUMNS": "100"}, terminal_width=100
        )
        if shown.exit_code:
            raise SystemExit(f"coverslip {' '.join(path)} --help: {shown.output}")
        text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        parts.append(f"## coverslip {' '.join(path)}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


API_HEAD = """\
# Interface over HTTP

Written by `make docs` from the OpenAPI document, which a running server gives at `/api/v1/openapi.json`;
change it in `src/coverslip/api`.

The server listens on a private socket of its machine, and on an address if told so. Sign in with
`POST /api/v1/sessions` and send the token as `Authorization: Bearer`. An `Idempotency-Key` (a UUID) makes a
repeated request answer what the first one did. Every error is a problem detail (RFC 9457) with the `code` of
[errors.md](errors.md), and its `rule`, `clause`, `record` and `remedy` where there are any.
"""


def _shape(schema: dict[str, Any]) -> str:
    needed = schema.get("required", [])
    names = [f"`{name}`" if name in needed else f"`{name}`?" for name in schema.get("properties", {})]
    return ", ".join(names)


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    lines = [f"## {method.upper()} {path}", ""]
    said = " ".join(operation.get("description", "").split())
    lines += [said or f"{operation['summary']}.", ""]
    for parameter in operation.get("parameters", ()):
        need = "" if parameter.get("required") else ", optional"
        lines.append(f"- `{parameter['name']}` ({parameter['in']}{need})")
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        fields = _shape(schemas.get(name, {}))
        lines.append(f"- body `{media}`" + (f": {fields}" if fields else ""))
    answers = [code for code in operation["responses"] if code.startswith("2")]
    lines.append(f"- answers {', '.join(answers)}")
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """Return the text of ``docs/reference/api.md``: every route; a question mark means it may be left out."""
    # The routes are declared without asking the services anything.
    document = create_app(cast("Services", SimpleNamespace(events=None))).openapi()
    schemas = document.get("components", {}).get("schemas", {})
    parts = [API_HEAD]
    for path, methods in document["paths"].items():
        parts += [_operation(method, path, operation, schemas) for method, operation in methods.items()]
    return "\n".join(parts)


PAGES = {"errors.md": errors_page, "cli.md": cli_page, "api.md": api_page, "records.md": records_page}


def main() -> int:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")
        print((FOLDER / name).relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
