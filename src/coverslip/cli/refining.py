"""Record types as they are in force, and refinements of them: look, try, propose.

Trying keeps nothing. Proposing makes a draft, which is submitted and approved like any other record.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from coverslip.cli import declared, show, signing
from coverslip.cli.asking import Components
from coverslip.cli.caller import Caller, calls
from coverslip.cli.failing import FINDING
from coverslip.cli.fields import collect
from coverslip.client.errors import misuse

app = typer.Typer(no_args_is_help=True, help="Record types: list, show, refine.")
TYPE = "refinement"
Name = Annotated[str, typer.Argument(help="The type's name, such as image_set.")]


@app.command("list")
@calls
def list_(caller: Caller) -> None:
    """List the record types in force, and the refinements each carries."""
    found = caller.client().types()
    if caller.json:
        show.as_json({"types": found})
        return
    rows = [(t["name"], t["prefix"], t["version"], ", ".join(t["refined_by"]), t["title"]) for t in found]
    show.table(("name", "prefix", "version", "refined by", "title"), rows, "No types.")


@app.command("show")
@calls
def show_(caller: Caller, name: Name) -> None:
    """Show a type as it is in force: its fields, its acts, and which refinement changed what."""
    found = caller.client().definition(name)
    if caller.json:
        show.as_json(found)
        return
    refined = found["shipped"] != found["definition"]
    show.pairs(
        [
            ("type", f"{found['name']} ({found['title']})"),
            ("version", found["version"]),
            ("definition", found["definition"]),
            *([("made of", found["shipped"])] if refined else []),
            ("note", found["migration_note"]),
        ]
    )
    form = json.loads(found["canonical"])["type"]
    show.say("")
    show.table(("field", "kind", "needed", "meaning"), declared.fields_of(form))
    show.say("")
    show.table(("act", "states", "who", "signature", "fields"), declared.acts_of(form))
    for one in found["refinements"]:
        show.say("")
        show.say(f"{one['number']}  {one['title']}" + ("" if one["in_force"] else "  (withdrawn)"))
        for sentence in one["effect"]:
            show.say(f"  {sentence}.")


@app.command()
@calls
def refine(
    caller: Caller,
    file: Annotated[str, typer.Argument(help="JSON with record_type and patch; '-' reads standard input.")],
    check: Annotated[bool, typer.Option("--check", help="Only try it; nothing is kept.")] = False,
) -> None:
    """Try a refinement, and unless --check is given, make its draft.

    The file is a JSON object: record_type and patch, and for a draft also title, rationale, migration_note
    and test_evidence. Every problem is listed, exit status 1; what it does is said in words.
    """
    fields = collect(None, file)
    name, patch = fields.get("record_type"), fields.get("patch")
    if not isinstance(name, str) or not isinstance(patch, dict):
        raise misuse("FILE", "an object with record_type and patch", ", ".join(sorted(fields)) or "nothing")
    found = caller.client().check_refinement(name, patch)
    if check or not found["fits"]:
        _tried(caller, found)
        if not found["fits"]:
            raise typer.Exit(FINDING)
        return
    caller.told(signing.create(caller, TYPE, fields, "", Components()))


def _tried(caller: Caller, found: dict[str, Any]) -> None:
    if caller.json:
        show.as_json(found)
        return
    for sentence in found["effect"]:
        show.say(f"{found['type']}: {sentence}.")
    for problem in found["problems"]:
        show.say(f"cannot: {problem}")
    if found["fits"]:
        show.say(f"It fits. {found['type']} goes from version {found['before']} to {found['version']}.")
