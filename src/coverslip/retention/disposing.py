"""What a disposal gathers: how long each of its records is kept, and what stays known of them.

Rules kept here: gathering decides nothing; it says what the clocks say at one size of the tree. The named
rules of the disposal compare what is gathered at proposal, at each approval and at execution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from coverslip.kernel.history import manifests
from coverslip.kernel.rows import Row
from coverslip.retention.service import Retentions


class Histories(Protocol):
    """Reading the entries of a record."""

    def history(self, uid: str) -> list[dict[str, Any]]:
        """Return the entries of a record and those about it, oldest first, with their sections."""
        ...


def candidates_gatherer(retentions: Retentions) -> Callable[[Row], list[dict[str, Any]]]:
    """Return the gatherer ``disposal_candidates`` version 1."""

    def gather(disposal: Row) -> list[dict[str, Any]]:
        size, today = retentions.size(), retentions.today()
        rows = retentions.rows([str(link["uid"]) for link in disposal.fields.get("records", ())])
        kept = retentions.of(rows)
        return [
            {
                "record": row.link(),
                "number": row.label,
                "keep_until": kept[row.uid].until()[:500],
                "because": kept[row.uid].because()[:1000],
                "due": kept[row.uid].over(today),
                "rule_version": kept[row.uid].answer.version,
                "tree_size": size,
            }
            for row in rows
        ]

    return gather


def tombstone_gatherer(retentions: Retentions, reading: Histories) -> Callable[[Row], dict[str, Any]]:
    """Return the gatherer ``disposal_tombstone`` version 1."""

    def gather(disposal: Row) -> dict[str, Any]:
        rows = retentions.rows([str(link["uid"]) for link in disposal.fields.get("records", ())])
        signed = manifests(reading.history(disposal.uid))
        return {
            "tree_size": retentions.size(),
            "approved_by": [m["text"] for m in signed if m["meaning"] == "approved"],
            "records": [_stone(row, reading) for row in rows],
        }

    return gather


def _stone(row: Row, reading: Histories) -> dict[str, Any]:
    return {
        "number": row.label,
        "type": row.type,
        "title": row.title,
        "state": row.state,
        "version": row.version,
        "hash": row.leaf_hash,
        "created_at": row.created_at,
        "signed": [m["text"] for m in manifests(reading.history(row.uid))],
        "files": sorted(_files(row.fields), key=lambda f: (str(f["name"]), str(f["root"]))),
    }


def _files(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, Mapping):
        if {"sha256", "root", "name", "size"} <= value.keys():
            yield {k: value[k] for k in ("name", "size", "sha256", "root")}
            return
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _files(item)
