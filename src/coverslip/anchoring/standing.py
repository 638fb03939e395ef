"""How it stands with the anchors, for people: last success, age, independence, and what is too old.

Rules kept here: an anchor that covers everything signed is never too old; one that does not is, once its last
success is older than its limit; an anchor that never succeeded is. The age is said whatever it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from coverslip.anchoring.targets import Target, independence


class Success(Protocol):
    """When a target last kept a checkpoint."""

    @property
    def size(self) -> int:
        """Entries of that checkpoint."""
        ...

    @property
    def at(self) -> str:
        """Time, UTC."""
        ...

    @property
    def age_s(self) -> float:
        """Seconds since."""
        ...


def standing(
    targets: Sequence[Target],
    home: Path,
    successes: Mapping[tuple[str, str], Success],
    size: int,
    errors: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return one line a target; ``size`` is of the newest checkpoint, ``errors`` the last by name."""
    found = []
    for one in targets:
        independent, note = independence(one, home)
        last = successes.get((one.type, one.target))
        overdue = last is None or (last.size < size and last.age_s > one.limit())
        line: dict[str, Any] = {
            "name": one.name, "type": one.type, "target": one.target, "independent": independent,
            "independence": note, "overdue": overdue, "limit_s": round(one.limit()),
        }  # fmt: skip
        if last is not None:
            line |= {
                "size": last.size, "at": last.at, "age_s": max(0, round(last.age_s)),
                "behind": max(0, size - last.size),
            }  # fmt: skip
        if errors.get(one.name):
            line["error"] = errors[one.name]
        found.append(line | {"sentence": sentence(line)})
    return found


def sentence(line: Mapping[str, Any]) -> str:
    """Return how one target stands as people read it."""
    if "at" not in line:
        text = "never yet"
    else:
        text = f"{line['size']} entries {ago(line['age_s'])} ago, {line['behind']} behind"
    text += " (TOO OLD)" if line["overdue"] else ""
    text += f"; {line['independence']}"
    return text + (f"; last attempt failed: {line['error']}" if line.get("error") else "")


def ago(seconds: int) -> str:
    """Return an age in its largest whole unit."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def read_errors(path: Path) -> dict[str, str]:
    """Return the last errors by target name; empty where nothing can be read, because none are known then."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def tell_error(path: Path, name: str, error: str) -> None:
    """Remember the last error of a target (empty: none), if it changed."""
    known = read_errors(path)
    if known.get(name, "") == error:
        return
    known = {**known, name: error} if error else {k: v for k, v in known.items() if k != name}
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(known), "utf-8")
    fresh.replace(path)
