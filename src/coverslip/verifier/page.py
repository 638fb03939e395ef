"""``index.html``: the copy as a person reads it. No script, nothing from elsewhere.

Rules kept here:

* A filtered copy says INCOMPLETE at the top, beside every record and at the end.
* Every signature shows printed name, time (UTC and the signer's), meaning and reason.
* All text from records is escaped; the page allows itself nothing but its own style.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from coverslip.verifier.history import Stream, member_files
from coverslip.verifier.manifest import Manifest
from coverslip.verifier.rendering import shown_time
from coverslip.verifier.report import EVALUATION_NOTICE
from coverslip.verifier.rows import Row, changes

_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
    "th,td{border:1px solid #c9d1d9;padding:.3rem .5rem;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere}"
    "th{background:#f3f5f7}.notice{border:2px solid #9a3412;padding:.5rem .8rem;font-weight:600}"
    "code{font-size:.85em;overflow-wrap:anywhere}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def pieces(manifest: Manifest, streams: Iterable[Stream], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield the page piece by piece. ``streams`` are the records in scope, in the manifest's order."""
    for line in _lines(manifest, streams, rows):
        yield line.encode("utf-8", "replace") + b"\n"


def _lines(manifest: Manifest, streams: Iterable[Stream], rows: Iterable[Row]) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>Evidence bundle {escape(manifest.record)}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>Evidence bundle: {escape(manifest.record)}</h1>"
    yield from _notices(manifest)
    yield from _cover(manifest)
    for stream in streams:
        yield from _record(stream, manifest.scope.notice)
    yield "<h2>Audit trail</h2>"
    yield "<p>One row for each field an entry changed; the same rows are in trail.csv and trail.json.</p>"
    head = ("Index", "Time (UTC)", "Who", "Record", "Action", "Field", "Old", "New", "Reason", "Signed as")
    yield from _table(head, (_trail_cells(row) for row in rows))
    yield from _notices(manifest)
    yield "</body></html>"


def _notices(manifest: Manifest) -> Iterator[str]:
    if manifest.use == "evaluation":
        yield f'<p class="notice">{escape(EVALUATION_NOTICE)}</p>'
    yield from _incomplete(manifest.scope.notice)


def _incomplete(notice: str) -> Iterator[str]:
    if notice:
        yield f'<p class="notice">{escape(notice)}</p>'


def _cover(manifest: Manifest) -> Iterator[str]:
    scope, by = manifest.scope, manifest.exported_by
    yield from _table(
        ("Item", "Value"),
        [
            ("Log", manifest.log),
            ("Use", manifest.use),
            ("Exported", f"{shown_time(manifest.exported_at, '', '')} by {by.name} ({by.username})"),
            ("Scope", scope.notice or "complete"),
            ("Records requested", str(scope.requested)),
            ("Records included", str(len(scope.records))),
            ("Withheld", str(len(scope.withheld))),
            ("Checkpoint", f"{manifest.size} entries, root {manifest.root}"),
        ],
    )
    if scope.withheld:
        yield "<h2>Withheld</h2>"
        yield from _table(("Number", "Reason"), [(w.number, w.reason) for w in scope.withheld])
    yield (
        "<p>This page is for reading. What it says is checked by <code>python3 verify.pyz BUNDLE --keys "
        "keys.txt</code> with keys obtained apart from this bundle. Original files lie under files/ "
        "bit for bit.</p>"
    )


def _record(stream: Stream, notice: str) -> Iterator[str]:
    last = stream.versions[-1]
    title = str(stream.content.get("title", ""))
    yield f"<h2>{escape(stream.label)} {escape(title)}</h2>"
    yield from _incomplete(notice)
    yield (
        f"<p>{escape(stream.kind)}, version {last.version}, state {escape(last.state)}, entry {last.index}, "
        f"leaf hash <code>{last.hash}</code></p>"
    )
    present = [
        (name, new) for name, _, new in changes({}, stream.values, stream.hidden & {"content", "personal"})
    ]
    yield from _table(("Field", "Value"), present)
    yield "<h3>Signatures</h3>"
    if stream.signatures:
        head = ("Printed name", "Time", "Meaning", "Reason", "Role", "Version", "Entry", "Key")
        yield from _table(
            head,
            [
                (
                    f"{s.made.title} ({s.made.username})",
                    shown_time(s.made.prepared_at, s.offset, s.made.zone),
                    f"{s.made.meaning}: {s.made.meaning_text}",
                    s.reason,
                    s.made.role,
                    str(s.version),
                    f"{s.index} (genesis)" if s.genesis else str(s.index),
                    f"{s.made.scheme} {s.made.kid}",
                )
                for s in stream.signatures
            ],
        )
    else:
        yield "<p>This record has no signature.</p>"
    files = member_files(stream)
    if files:
        yield "<h3>Original files</h3>"
        cells = [(path, str(item.size), item.sha256, str(v)) for path, (item, v) in sorted(files.items())]
        yield from _table(("Path", "Bytes", "SHA-256", "Version"), cells)


def _trail_cells(row: Row) -> tuple[str, ...]:
    who = f"{row.who_name} ({row.who})" + (f" for {row.on_behalf_of}" if row.on_behalf_of else "")
    action = f"{row.action} (genesis)" if row.type == "genesis" else row.action
    return (
        str(row.index), shown_time(row.at, "", ""), who, row.record, action, row.field, row.old, row.new,
        row.reason, row.signature,
    )  # fmt: skip


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield "<table><thead><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"
