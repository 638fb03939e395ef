"""Beside a record: comment, tag, attach, watch; and many changes at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli.caller import Caller, calls
from coverslip.client.errors import misuse

Number = Annotated[str, typer.Argument(help="The record's number, such as STU-0001 or SOP-0012v3.")]
Why = Annotated[str, typer.Option(help="Why, in your own words.")]
_REGION = ("x", "y", "width", "height", "z", "c", "t")
MOST_LINES = 500


def add(app: typer.Typer) -> None:
    """Add the commands to those of records."""
    for command in (comment, tag, untag, attach, watch, unwatch, bulk):
        app.command()(command)


@calls
def comment(
    caller: Caller,
    number: Number,
    text: Annotated[str, typer.Argument(help="What you say or ask.")],
    field: Annotated[str, typer.Option(help="The field it is about, such as title or rows[2].value.")] = "",
    region: Annotated[
        str, typer.Option(help="Part of an image, in pixels: X,Y,WIDTH,HEIGHT[,Z[,C[,T]]].")
    ] = "",
    asked: Annotated[str, typer.Option(help="Whose answer you wait for: the number of a person.")] = "",
    reply_to: Annotated[str, typer.Option(help="The comment this one replies to.")] = "",
) -> None:
    """Comment on a record. It changes nothing about it: signatures stay what they were."""
    fields: dict[str, Any] = {"subject": number, "text": text}
    fields |= {n: v for n, v in (("field", field), ("asked", asked), ("reply_to", reply_to)) if v}
    if region:
        fields["region"] = _region(region)
    caller.told(caller.client().records.create("comment", fields))


def _region(text: str) -> dict[str, int]:
    parts = text.split(",")
    if not 4 <= len(parts) <= len(_REGION) or not all(part.strip().isdecimal() for part in parts):
        raise misuse("--region", "X,Y,WIDTH,HEIGHT[,Z[,C[,T]]] in whole pixels", text[:60])
    return {name: int(part) for name, part in zip(_REGION, parts, strict=False)}


@calls
def tag(
    caller: Caller,
    number: Number,
    words: Annotated[list[str], typer.Argument(help="The words; several are put on together or not at all.")],
) -> None:
    """Put words on a record, by which it is found again ('record list --tag WORD')."""
    changes = [{"act": "create", "type": "tag", "fields": {"subject": number, "word": w}} for w in words]
    caller.told(caller.client().records.bulk(changes))


@calls
def untag(
    caller: Caller,
    number: Number,
    word: Annotated[str, typer.Argument(help="The word to take off.")],
    reason: Why,
) -> None:
    """Take a word off a record. That it was there stays on the ledger."""
    records = caller.client().records
    tags = records.show(number)["around"]["tags"]
    wanted = " ".join(word.casefold().split())
    found = next((one["number"] for one in tags if one["word"] == wanted), "")
    if not found:
        there = ", ".join(one["word"] for one in tags) or "none"
        raise misuse("WORD", f"a tag of {number} (there: {there})", word[:60])
    version = records.show(found)["version"]
    caller.told(records.act(found, "remove", reason=reason, expected_version=version))


@calls
def attach(
    caller: Caller,
    number: Number,
    file: Annotated[Path, typer.Argument(help="The file. Originals of instruments are ingested instead.")],
    what: Annotated[str, typer.Option(help="What it is, in a few words.")],
) -> None:
    """Attach a file to a record. It is kept for ever; withdrawing it later hides nothing."""
    client = caller.client()
    if not file.is_file():
        raise misuse(str(file), "a file", "nothing there")
    kept = client.attach(file)
    caller.told(client.records.create("attachment", {"subject": number, "what": what, "file": kept}))


@calls
def watch(caller: Caller, number: Number) -> None:
    """Be told by 'coverslip notices' what others do to a record, later versions included."""
    caller.told(caller.client().records.create("watch", {"subject": number}))


@calls
def unwatch(caller: Caller, number: Number) -> None:
    """Stop watching a record."""
    client = caller.client()
    mark = f"{client.me()['number']} {client.records.show(number)['number']}"
    found = next(
        (r for r in client.records.list("watch", state="watching", text=mark) if r["title"] == mark), None
    )
    if found is None:
        raise misuse("NUMBER", "a record you watch", number)
    caller.told(client.records.act(found["number"], "end", expected_version=found["version"]))


@calls
def bulk(
    caller: Caller,
    file: Annotated[str, typer.Argument(help="JSON lines, one change each; '-' for stdin.")],
    key: Annotated[
        str, typer.Option(help="A name of your own for this batch: repeated, nothing is done twice.")
    ] = "",
) -> None:
    """Do up to 500 unsigned changes in one command: all of them, or none.

    A line is {"act": "create", "type": T, "fields": {...}} or {"act": A, "number": N,
    "expected_version": V, "fields": {...}, "reason": "..."}. A refusal names the change by its place.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise misuse("FILE", "a readable file in UTF-8", f"{file}: {error}") from error
    caller.told(caller.client().records.bulk(_changes(text), key=key))


def _changes(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for place, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise misuse(f"line {place}", "a JSON object", str(error)) from error
        if not isinstance(value, dict):
            raise misuse(f"line {place}", "a JSON object", type(value).__name__)
        found.append(value)
    if not 1 <= len(found) <= MOST_LINES:
        raise misuse("FILE", f"1 to {MOST_LINES} changes", str(len(found)))
    return found
