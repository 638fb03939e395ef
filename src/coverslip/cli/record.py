"""Records: list, read, write. Every write says why and on which version; every act is the person's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli import asking, past, retention, show, signing
from coverslip.cli.asking import Components
from coverslip.cli.caller import Caller, calls
from coverslip.cli.fields import FieldFiles, Fields, FieldsFile, JsonFields, attach, collect
from coverslip.cli.progress import bytes_bar
from coverslip.client.errors import misuse

app = typer.Typer(no_args_is_help=True, help="Records: list, read, write, act.")
Number = Annotated[str, typer.Argument(help="The record's number, such as STU-0001 or SOP-0012v3.")]
Reason = Annotated[str, typer.Option(help="Why, in your own words.")]
OccurredAt = Annotated[
    str,
    typer.Option(
        help="When it happened, if not now, with offset: 2026-11-20T14:32+01:00. Over 15 minutes: late entry."
    ),
]
Username = Annotated[str, typer.Option(help="Your user name, for a signature given without a terminal.")]


@app.command("list")
@calls
def list_(
    caller: Caller,
    type: Annotated[str, typer.Argument(help="Type, such as image; all when left out.")] = "",
    state: Annotated[str, typer.Option(help="Only records in this state.")] = "",
    text: Annotated[str, typer.Option(help="Only records whose number or title holds this.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 50,
    tag: Annotated[str, typer.Option(help="Only records with this tag.")] = "",
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only records whose due date has passed.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Voided records too.")] = False,
) -> None:
    """List records, the newest change first. Voided ones come with --all, --state or --text only."""
    records = caller.client().records
    found = list(
        records.list(type, state=state, text=text, limit=limit, tag=tag, overdue=overdue, voided=everything)
    )
    if caller.json:
        show.as_json({"records": found})
        return
    rows = [(r["label"], r["state"], r["title"], r["changed_at"]) for r in found]
    show.table(("number", "state", "title", "changed"), rows, "No records.")


@app.command("show")
@calls
def show_(
    caller: Caller,
    number: Number,
    as_of: Annotated[
        str, typer.Option("--as-of", help="As it was on this day, or at this instant with its zone.")
    ] = "",
) -> None:
    """Show one record: fields, signatures, until when it is kept, and what you may do or why not."""
    if as_of:
        past.record(caller, number, as_of)
        return
    record = caller.client().records.show(number)
    kept = caller.client().records.retention(number)
    if caller.json:
        show.as_json(record | {"retention": kept})
        return
    show.say(f"{record['label']}  {record['title']}")
    regime = "SANDBOX, not regulated" if record["sandbox"] else f"gxp {record['gxp']}"
    show.say(f"{record['type_title']}, version {record['version']}, state {record['state']}, {regime}")
    for hold in record["on_hold"]:
        show.say(f"ON HOLD: {hold['number']}, {hold['reason']}")
    show.say("")
    if record.get("occurred_at"):
        how = "LATE ENTRY, happened" if record["late"] else "happened"
        show.say(f"{how} at {record['occurred_at']}")
    show.pairs(record["fields"].items())
    show.say("")
    _around(record.get("around") or {})
    for signature in record["signatures"]:
        show.say(f"signed  {signature['text']}")
    retention.say(kept)
    _acts(record)


def _around(around: dict[str, Any]) -> None:
    """Print what stands beside a record."""
    if around.get("tags"):
        show.say(f"tags    {', '.join(tag['word'] for tag in around['tags'])}")
    for one in around.get("comments", ()):
        place = "".join(f", {name} {show.plain(one[name])}" for name in ("field", "region") if name in one)
        show.say(f"comment {one['number']} {one['state']}, {one['by']}{place}: {one['text']}")
        if "answer" in one:
            show.say(f"        answer: {one['answer']}")
    for one in around.get("attachments", ()):
        show.say(f"file    {one['number']} {one['state']}: {one['what']}, {show.plain(one['file'])}")
    if around.get("watchers"):
        show.say(f"watched by {around['watchers']}")
    if around.get("more"):
        show.say("more stands beside it: 'coverslip record links' lists all")


def _acts(record: dict[str, Any]) -> None:
    for act in record["acts"]:
        signed = f", signed as '{act['meaning']}'" if act["meaning"] else ""
        if act["allowed"]:
            show.say(f"can     {act['act']} ({act['label']}{signed})")
        elif signing.waits_for_fields(act):
            takes = ", ".join(act["fields"])
            show.say(f"not yet {act['act']} (with it you give {takes}. {act['code']}: {act['why_not']})")
        else:
            show.say(f"cannot  {act['act']} ({act['code']}: {act['why_not']})")


app.command("retention")(retention.of_record)


@app.command()
@calls
def history(caller: Caller, number: Number) -> None:
    """Show the whole trail: who, what, when, old and new value, why."""
    found = caller.client().records.history(number)
    if caller.json:
        show.as_json(found)
        return
    for entry in found["entries"]:
        place = "pending" if entry["index"] is None else f"entry {entry['index']}"
        version = f"version {entry['version']}" if entry["version"] else entry["type"]
        show.say(
            f"{entry['at_text']}  {entry['actor_name'] or entry['actor']}  {entry['act']}"
            f"  ({version}, {place})"
        )
        if entry.get("occurred_at"):
            how = "LATE ENTRY, happened" if entry["late"] else "happened"
            show.say(f"    {how}: {entry['occurred_at']}")
        if entry["meaning"]:
            show.say(f"    signed: {entry['meaning']}")
        if entry["reason"]:
            show.say(f"    reason: {entry['reason']}")
        _changes(entry["changes"])


def _changes(changes: list[dict[str, Any]]) -> None:
    for change in changes:
        show.say(f"    {change['field']}: {change['old'] or '(empty)'} -> {change['new'] or '(empty)'}")


@app.command()
@calls
def diff(
    caller: Caller,
    number: Number,
    first: Annotated[int, typer.Option("--from", min=1, help="The earlier version.")],
    second: Annotated[int, typer.Option("--to", min=1, help="The later version.")],
) -> None:
    """Show the fields that differ between two versions."""
    found = caller.client().records.diff(number, first, second)
    if caller.json:
        show.as_json(found)
        return
    show.say(
        f"{found['number']}: version {found['from']} to {found['to']}, {len(found['changes'])} fields differ"
    )
    _changes(found["changes"])


@app.command()
@calls
def view(caller: Caller, number: Number) -> None:
    """Show the record as it is read before signing. That you saw it is recorded."""
    found = caller.client().records.view(number)
    if caller.json:
        show.as_json(
            {"number": found.number, "version": found.version, "text": found.text, "shown": found.shown}
        )
        return
    show.say(found.text.rstrip("\n"))


@app.command()
@calls
def links(caller: Caller, number: Number) -> None:
    """List the records that link to this one."""
    found = caller.client().records.links(number)
    if caller.json:
        show.as_json(list(found))
        return
    rows = [(r["number"], r["type"], r["state"], r["title"]) for r in found]
    show.table(("number", "type", "state", "title"), rows, "Nothing links here.")


@app.command()
@calls
def types(caller: Caller) -> None:
    """List the record types. 'coverslip type show TYPE' tells the fields and acts of one."""
    found = caller.client().types()
    if caller.json:
        show.as_json(list(found))
        return
    show.table(("type", "prefix", "purpose"), [(t["name"], t["prefix"], t["purpose"]) for t in found])


@app.command()
@calls
def new(
    caller: Caller,
    type: Annotated[str, typer.Argument(help="The type, such as study.")],
    field: Fields = None,
    fields: FieldsFile = "",
    json_fields: JsonFields = False,
    file: FieldFiles = None,
    reason: Reason = "",
    number: Annotated[str, typer.Option(help="The document whose next version this is.")] = "",
    username: Username = "",
    password_stdin: asking.PasswordStdin = False,
    occurred_at: OccurredAt = "",
) -> None:
    """Make a record. Links are given by number; a creation that needs a signature shows it first.

    'coverslip type show TYPE' tells which fields there are and what each looks like.
    """
    given = attach(caller.client(), file, collect(field, fields, scalars=json_fields))
    components = Components(username, password_stdin)
    caller.told(signing.create(caller, type, given, reason, components, number, occurred_at))


@app.command()
@calls
def edit(
    caller: Caller,
    number: Number,
    field: Fields = None,
    fields: FieldsFile = "",
    json_fields: JsonFields = False,
    file: FieldFiles = None,
    reason: Reason = "",
    username: Username = "",
    password_stdin: asking.PasswordStdin = False,
    occurred_at: OccurredAt = "",
) -> None:
    """Change fields of a record, with a reason, on the version as it is now."""
    given = attach(caller.client(), file, collect(field, fields, scalars=json_fields))
    if not given:
        raise misuse("the edit", "at least one field (-f NAME=VALUE)", "none")
    components = Components(username, password_stdin)
    caller.told(signing.perform(caller, number, "edit", given, reason, components, occurred_at))


@app.command()
@calls
def do(
    caller: Caller,
    number: Number,
    transition: Annotated[
        str, typer.Argument(help="What to do; left out, the possible acts are listed.")
    ] = "",
    field: Fields = None,
    fields: FieldsFile = "",
    json_fields: JsonFields = False,
    file: FieldFiles = None,
    reason: Reason = "",
    username: Username = "",
    password_stdin: asking.PasswordStdin = False,
    occurred_at: OccurredAt = "",
) -> None:
    """Do a transition. Where it needs a signature, the record is shown and both components are asked."""
    if not transition:
        record = caller.client().records.show(number)
        show.as_json(record["acts"]) if caller.json else _acts(record)
        return
    given = attach(caller.client(), file, collect(field, fields, scalars=json_fields))
    components = Components(username, password_stdin)
    caller.told(signing.perform(caller, number, transition, given, reason, components, occurred_at))


@calls
def sign(
    caller: Caller,
    number: Number,
    transition: Annotated[
        str, typer.Argument(help="What to sign; may be left out where only one act is open to you.")
    ] = "",
    field: Fields = None,
    json_fields: JsonFields = False,
    reason: Reason = "",
    username: Username = "",
    password_stdin: asking.PasswordStdin = False,
) -> None:
    """Sign a record: it is shown with the meaning in words, then user name and password are asked."""
    act = transition or _only_signature(caller, number)
    given = collect(field, scalars=json_fields)
    caller.told(signing.perform(caller, number, act, given, reason, Components(username, password_stdin)))


def _only_signature(caller: Caller, number: str) -> str:
    """Return the one signing act open to this person. Raises ``MisuseError`` for none or several."""
    acts = caller.client().records.show(number)["acts"]
    found = [a["act"] for a in acts if a["meaning"] and a["allowed"]]
    if len(found) == 1:
        return str(found[0])
    named = ", ".join(found) or "none"
    raise misuse(
        "TRANSITION",
        f"the act to sign (open to you: {named})",
        "nothing",
        f"'coverslip record do {number}' lists every act and why it is not open.",
    )


@app.command()
@calls
def get(
    caller: Caller,
    number: Number,
    name: Annotated[str, typer.Argument(help="Name of a file of the record.")],
    out: Annotated[Path | None, typer.Option(help="Where to save it; its own name when left out.")] = None,
) -> None:
    """Save a file of a record bit for bit; it is kept only if its hashes are those recorded."""
    target = out or Path(Path(name).name)
    with bytes_bar(name, None) as advance:
        saved = caller.client().download(number, name, target, progress=advance)
    if caller.json:
        show.as_json({"path": saved.path, "size": saved.size, "sha256": saved.sha256})
        return
    show.say(f"{saved.path}  {saved.size} bytes  sha256 {saved.sha256}  as recorded")
