"""Tables to take away: a list or a trail as CSV, with its filter printed in its head.

Rules kept here:

* Taking one away is an entry that names the filter, the number of rows and the SHA-256 of the file, written
  before the first byte is handed out. Only a person takes one away.
* No cell is run as a formula by a spreadsheet (P11-10-b). Times are UTC, as stored.
* A list is as it was at one moment. A trail goes to its end, or says where it stopped.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from coverslip.application import listing, trailing
from coverslip.application.services import Services
from coverslip.errors import Refused
from coverslip.kernel.change import Context
from coverslip.kernel.events import Event
from coverslip.kernel.rows import Row
from coverslip.kernel.view import plain
from coverslip.verifier.rows import neutral

MOST_ENTRIES: Final = 100_000
_PAGE: Final = 200
_LIST: Final = (
    "number", "revision", "type", "title", "state", "gxp", "created_at", "created_by", "changed_at",
    "changed_by",
)  # fmt: skip
_TRAIL: Final = (
    "index", "at", "actor_name", "type", "act", "record", "record_type", "version", "reason", "meaning",
    "field", "old", "new",
)  # fmt: skip


class _Out:
    """Counts and hashes what is written; lines are one CSV row each."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._hash, self.rows = out, hashlib.sha256(), 0

    def line(self, cells: Iterable[Any]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerow([neutral(str(cell)) for cell in cells])
        data = text.getvalue().encode()
        self._hash.update(data)
        self._out.write(data)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def list_csv(services: Services, asked: listing.Asked, context: Context, out: BinaryIO) -> dict[str, Any]:
    """Write a list as CSV and record the export; return what was written."""
    _insist_person(context, "a list")
    listed = listing.listed(services, asked)
    definition = services.catalogue[asked.types[0]] if len(asked.types) == 1 else None
    fields = listing.columns(definition)
    table, text = _Out(out), listing.described(asked)
    _head(services, table, "List of records", text, context)
    table.line([*_LIST, *fields])
    names: dict[str, str] = {}
    for row in services.lists.walk(listed):
        table.line(_listed(services, row, fields, names))
        table.rows += 1
    return _recorded(services, "list", text, table, context)


def trail_csv(services: Services, asked: trailing.Asked, context: Context, out: BinaryIO) -> dict[str, Any]:
    """Write a trail as CSV, a line for each changed field, and record the export; return what was written."""
    _insist_person(context, "the audit trail")
    question = trailing.trail(services, asked, context)
    table, text = _Out(out), trailing.described(asked)
    _head(services, table, "Audit trail, newest first", text, context)
    table.line(_TRAIL)
    cursor, following = "", "first"
    while following and table.rows < MOST_ENTRIES:
        page = services.trails.page(question, cursor, _PAGE)
        for entry in page.entries:
            for line in _told(entry):
                table.line(line)
            table.rows += 1
        cursor = following = page.next
    if following:
        table.line(["INCOMPLETE", f"stopped after {table.rows} entries; ask for a shorter period"])
    return _recorded(services, "trail", text, table, context)


def _insist_person(context: Context, what: str) -> None:
    if not context.personal:
        raise Refused("AUTH_ROLE", record=what, role="a person", action="export", roles="none")


def _head(services: Services, table: _Out, what: str, text: str, context: Context) -> None:
    account = services.accounts.account(context.person) or {}
    size = services.reading.status()["size"]
    table.line([what, str(services.installation().get("origin", ""))])
    table.line(["Filter", text])
    table.line(["Taken", services.accounts.now(), f"by {account.get('name', context.person)}"])
    table.line(["Entries in the tree then", size])


def _recorded(services: Services, what: str, text: str, table: _Out, context: Context) -> dict[str, Any]:
    summary = {"what": what, "filter": text[:2000], "rows": table.rows, "sha256": table.sha256}
    services.events.record(Event("export", f"export_{what}", summary), context)
    return summary


def _listed(services: Services, row: Row, fields: tuple[str, ...], names: dict[str, str]) -> Iterator[Any]:
    for name in _LIST:
        value = getattr(row, name)
        if name in ("created_by", "changed_by"):
            value = names.get(value) or names.setdefault(value, _name(services, value))
        yield value if name != "revision" or value else ""
    yield from (plain(row.fields[name]) if name in row.fields else "" for name in fields)


def _name(services: Services, uid: str) -> str:
    account = services.accounts.account(uid)
    return str((account or {}).get("name") or uid)


def _told(entry: dict[str, Any]) -> Iterator[list[Any]]:
    record = entry["record"]
    label = f"{record['number']} v{record['revision']}" if record["revision"] else record["number"]
    first = [
        "" if entry["index"] is None else entry["index"], entry["at"], entry["actor_name"], entry["type"],
        entry["act"], label, record["type"], entry.get("version") or "", entry["reason"],
        entry.get("meaning", ""),
    ]  # fmt: skip
    if entry.get("unreadable"):
        yield [*first, "UNREADABLE", "", ""]
    elif not entry["changes"]:
        yield [*first, "", "", ""]
    for change in entry["changes"]:
        yield [*first, change["field"], change["old"], change["new"]]
