"""Field values on the command line: ``-f name=value``, ``--fields FILE.json``, ``--file name=PATH``.

Rules kept here: a value is text unless it starts with ``[`` or ``{`` (JSON), or ``--json-fields`` asks
for true, false and whole numbers too; a name given twice is a mistake, not a choice.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.client import Coverslip
from coverslip.client.errors import misuse

Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field", "-f", metavar="NAME=VALUE", help="A field; JSON when the value starts with [ or {."
    ),
]
FieldsFile = Annotated[
    str,
    typer.Option(
        "--fields", metavar="FILE", help="JSON object of fields, '-' for stdin; --field wins over it."
    ),
]
JsonFields = Annotated[
    bool,
    typer.Option("--json-fields", help="Read true, false and whole numbers in --field as such, not as text."),
]
FieldFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--file", metavar="NAME=PATH", help="Keep a file and name it in a field; repeat for a list."
    ),
]
_SCALAR = re.compile(r"true|false|-?(0|[1-9][0-9]{0,15})")


def collect(given: Sequence[str] | None, file: str = "", *, scalars: bool = False) -> dict[str, Any]:
    """Return the fields of a command. Raises ``MisuseError`` for what cannot be read."""
    found = _from_file(file) if file else {}
    named: set[str] = set()
    for text in given or ():
        name, value = split(text, "-f")
        if name in named:
            raise misuse(f"-f {name}", "one value", "two", 'Give a list as JSON: -f \'name=["a", "b"]\'.')
        named.add(name)
        found[name] = _value(name, value, scalars)
    return found


def split(text: str, option: str) -> tuple[str, str]:
    """Return name and value of ``NAME=VALUE``."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise misuse(option, "NAME=VALUE", text[:60])
    return name.strip(), value


def _value(name: str, text: str, scalars: bool) -> Any:
    if text[:1] in ("[", "{") or (scalars and _SCALAR.fullmatch(text)):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise misuse(f"-f {name}", "JSON, as it starts with [ or {", str(error)) from error
    return text


def _from_file(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        value = json.loads(text)
    except OSError as error:
        raise misuse("--fields", "a readable file", f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise misuse("--fields", "JSON in UTF-8", f"{file}: {error}") from error
    if not isinstance(value, dict):
        raise misuse("--fields", "a JSON object", type(value).__name__)
    return value


def attach(client: Coverslip, given: Sequence[str] | None, fields: dict[str, Any]) -> dict[str, Any]:
    """Send every file of ``--file`` and return the fields with their values; a name repeated makes a list."""
    found = dict(fields)
    attached: dict[str, list[Any]] = {}
    for text in given or ():
        name, path = split(text, "--file")
        if name in fields:
            raise misuse(f"--file {name}", "one value", "a field of the same name")
        attached.setdefault(name, []).append(client.attach(Path(path)))
    found.update({name: values[0] if len(values) == 1 else values for name, values in attached.items()})
    return found
