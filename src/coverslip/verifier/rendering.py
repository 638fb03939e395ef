"""``records/<label>.json``: the present content of one record and its signatures, readable."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from coverslip.ledger.leaf import parse_time
from coverslip.verifier.history import SignatureLine, Stream

FORMAT = "coverslip-record-v1"


def shown_time(at: str, offset: str, zone: str) -> str:
    """Return a time as people read it: UTC, then the signer's local time, offset and zone.

    ``at`` is a ledger time; ``offset`` is ``±hh:mm``, or empty where it is not known.
    """
    moment = parse_time(at)
    utc = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    if not offset:
        return f"{utc} (zone {zone})" if zone else utc
    local = _shift(moment, offset)
    day = f"{local:%Y-%m-%d} " if local.date() != moment.date() else ""
    return f"{utc} ({day}{local:%H:%M:%S} {offset.replace('-', '−')} {zone})"


def _shift(moment: datetime, offset: str) -> datetime:
    """Return the local time; the time itself where it would leave the calendar."""
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    try:
        return moment + timedelta(minutes=-minutes if offset[0] == "-" else minutes)
    except OverflowError:
        return moment


def signature_value(line: SignatureLine) -> dict[str, Any]:
    """Return the manifest of one signature: printed name, time, meaning and what else was recorded."""
    made = line.made
    return {
        "name": made.name, "username": made.username, "role": made.role, "person": made.person,
        "meaning": made.meaning, "meaning_text": made.meaning_text, "reason": line.reason,
        "signed_at": shown_time(made.prepared_at, line.offset, made.zone), "prepared_at": made.prepared_at,
        "committed_at": line.at, "zone": made.zone, "workstation": made.workstation,
        "components": list(made.components), "scheme": made.scheme, "key": made.kid,
        "version": line.version, "tree_index": line.index, "genesis": line.genesis,
        **({"behalf": made.behalf} if made.behalf else {}),
    }  # fmt: skip


def record_json(log: str, stream: Stream) -> bytes:
    """Return the readable copy of one record. Sections that are not in the copy are named as absent."""
    last = stream.versions[-1]
    sections = {
        name: value for name, value in stream.values.items() if name in ("content", "personal", "snapshot")
    }
    value = {
        "format": FORMAT, "log": log, "record": stream.label, "kind": stream.kind, "id": stream.id,
        "version": last.version, "tree_index": last.index, "leaf_hash": last.hash, **sections,
        "absent": sorted(stream.hidden - {"context", "reason", "signature"}),
        "files": [item.value() for item in stream.values.get("files", [])],
        "signatures": [signature_value(line) for line in stream.signatures],
        "versions": [
            {
                "version": v.version, "tree_index": v.index, "leaf_hash": v.hash, "at": v.at, "action": v.act,
                "state": v.state, "who": v.who, "genesis": v.genesis,
            }
            for v in stream.versions
        ],
    }  # fmt: skip
    return (json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()
