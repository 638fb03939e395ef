"""Views: the one rendering of a record that a person reads before signing, and its hash.

Rules kept here:

* The same content, under the same definition, gives the same text, byte for byte, in every release that
  carries this version of the rendering; what an earlier version showed can be shown again as it was.
* What is shown is the record's own content and nothing looked up elsewhere: no titles of linked records, no
  zone of a reader (decision 0046).
* Signatures show printed name, time and meaning wherever the record is shown (P11-50-b).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from coverslip.kernel import roles, view_one, words as w
from coverslip.kernel.definition import GXP_FREE, Definition
from coverslip.kernel.rows import Row
from coverslip.kernel.sheet import Entry, Grid, Part, Sheet, label, spelled, text
from coverslip.kernel.telling import NONE, instant, is_link as is_link, told, untyped, words

VERSION = 2
VERSIONS = (2, 1)
"""Versions of the rendering that can be made, the one in use first."""
Manifest = Mapping[str, Any]
"""A signature as ``history.manifests`` tells it."""


def render(
    definition: Definition, row: Row, manifests: Sequence[Manifest] = (), version: int = VERSION
) -> str:
    """Return the record as plain text: what it is, fields in declared order, signatures, holds.

    Raises ``ValueError`` for a version of the rendering that never was.
    """
    if version == 1:
        return view_one.render(definition, row, [str(m["text"]) for m in manifests])
    if version != VERSION:
        raise ValueError(f"no rendering has version {version}")
    return text(sheet(definition, row, manifests))


def render_new(definition: Definition, fields: Mapping[str, Any]) -> str:
    """Return a record that is about to be made, of the values given for it, as plain text."""
    title = definition.type.title
    parts = (Part("Content", tuple(_content(definition.type, fields))),)
    return text(Sheet(label(f"New {_small(title)}"), "Not entered yet", parts))


def shown_hash(text: str, version: int = VERSION) -> str:
    """Return the hex SHA-256 of a rendering, with its version, as a signature names it."""
    return hashlib.sha256(f"coverslip-view-v{version}\n{text}".encode()).hexdigest()


def sheet(definition: Definition, row: Row, manifests: Sequence[Manifest] = ()) -> Sheet:
    """Return the record as it prints, before it is set as text."""
    parts = [
        Part("Record", tuple(_standing(definition, row))),
        Part("Content", tuple(_content(definition.type, row.fields)) or (Entry("Content", (NONE,)),)),
        Part("Signatures", (_signatures(manifests),)),
    ]
    if row.blockers:
        holds = (Entry(label(b.number), _lines(b.reason)) for b in row.blockers)
        parts.append(Part("On hold", tuple(holds)))
    return Sheet(label(row.label), label(definition.type.title), tuple(parts))


def _small(title: str) -> str:
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _lines(value: str) -> tuple[str, ...]:
    return told(w.Rich(), value)


def _standing(definition: Definition, row: Row) -> Iterator[Entry]:
    yield Entry("Title", _lines(row.title))
    yield Entry("State", (spelled(words(row.state)),))
    yield Entry("Entry version", (str(row.version),))
    yield Entry("Regulated", (_regime(row),))
    at = row.content.get("occurred_at")
    if at:
        late = ("late entry",) if row.content.get("late") else ()
        said = f"{instant(str(at))}, as stated by who entered it"
        yield Entry("It happened", (said, *late))


def _regime(row: Row) -> str:
    if row.content.get("sandbox"):
        return "no: SANDBOX"
    return "no" if row.gxp == GXP_FREE else f"yes: {spelled(row.gxp.upper() if row.gxp != 'gxp' else 'GxP')}"


def _content(declared: w.Type, fields: Mapping[str, Any]) -> Iterator[Entry | Grid]:
    """Tell the fields in declared order; those of an earlier definition last: they are signed as well."""
    names = [name for name in declared.fields if name in fields]
    earlier = sorted(fields.keys() - declared.fields.keys())
    labels = _apart(
        {n: one.label for n, one in declared.fields.items()}
        | {n: f"{words(n).capitalize()} (of an earlier definition)" for n in earlier}
    )
    for name in names:
        one = declared.fields[name]
        if isinstance(one.kind, w.Table) and _is_table(fields[name]):
            yield _table(labels[name], one.kind, fields[name])
        else:
            yield Entry(labels[name], told(one.kind, fields[name], many=one.many))
    for name in earlier:
        yield Entry(labels[name], untyped(fields[name]))


def _apart(labels: Mapping[str, str]) -> dict[str, str]:
    """Return each label as it is set; where two fields are called the same, with the field's name."""
    said = {name: label(one) for name, one in labels.items()}
    often = Counter(said.values())
    return {name: one if often[one] == 1 else f"{one} ‹{label(name)}›" for name, one in said.items()}


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _table(name: str, kind: w.Table, rows: Iterable[Mapping[str, Any]]) -> Grid:
    return Grid(name, tuple(tuple(_cells(kind, row)) for row in rows))


def _cells(kind: w.Table, row: Mapping[str, Any]) -> Iterator[Entry]:
    for name, column in kind.columns.items():
        if name in row:
            yield Entry(column_label(name), told(column.kind, row[name]))
    for name in sorted(row.keys() - kind.columns.keys()):
        yield Entry(f"{column_label(name)} ‹of an earlier definition›", untyped(row[name]))


def column_label(name: str) -> str:
    """Return how a column of a table is called."""
    return label(words(name).capitalize())


def _signatures(manifests: Sequence[Manifest]) -> Entry | Grid:
    if not manifests:
        return Entry("Signed by", (NONE,))
    return Grid("Signed by", tuple(tuple(_signature(one)) for one in manifests))


def _signature(one: Manifest) -> Iterator[Entry]:
    yield Entry("Name", _lines(str(one["name"])))
    yield Entry("As", (spelled(roles.title(str(one["role"]))),))
    if one.get("behalf"):
        yield Entry("For", _lines(str(one["behalf"]["name"])))
        yield Entry("By delegation", _lines(str(one["behalf"]["delegation"])))
    yield Entry("Time", (spelled(str(one["at_text"])),))
    yield Entry("Meaning", (spelled(f"{words(str(one['meaning']))}: {one['meaning_text']}"),))
    yield Entry("Entry version", (spelled(str(one["version"])),))


def plain(value: Any) -> str:
    """Return one value on one line, as lists and the audit trail tell it; nothing is signed of this."""
    if isinstance(value, dict):
        if is_link(value):
            revision = f" v{value['revision']}" if "revision" in value else ""
            pinned = f" (version {value['version']}, {value['hash'][:12]})" if "version" in value else ""
            return f"{value['number']}{revision}{pinned}"
        if set(value) == {"value", "unit"}:
            return f"{value['value']} {value['unit']}"
        if "sha256" in value and "name" in value:
            return f"{value['name']} ({value['size']} bytes, sha256 {value['sha256']})"
        return ", ".join(f"{k}: {plain(v)}" for k, v in sorted(value.items()))
    if isinstance(value, list):
        return "; ".join(plain(v) for v in value)
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
