"""Samples and what they showed: drawing at random from a kept seed, counting defectives by class
(DOMAIN 8.3).

Rules kept here: pure. The same seed, lot size and number always give the same list, on every machine and
release, because the draw is made of SHA-256 and of nothing else. Nobody chooses the outcome: it follows
from the readings and the acceptance numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

CLASSES = ("critical", "major", "minor")


def draw(seed: str, lot_size: int, n: int) -> list[int]:
    """Return ``n`` different units of 1..``lot_size`` in ascending order, by a shuffle keyed with ``seed``.

    Raises ``ValueError`` where more are asked for than there are.
    """
    if not 0 < n <= lot_size:
        raise ValueError(f"cannot draw {n} of {lot_size}")
    moved: dict[int, int] = {}
    drawn = []
    for k in range(n):
        digest = hashlib.sha256(f"coverslip-sample-v1\n{seed}\n{k}".encode()).digest()
        j = k + int.from_bytes(digest) % (lot_size - k)
        drawn.append(moved.get(j, j) + 1)
        moved[j] = moved.get(k, k)
    return sorted(drawn)


@dataclass(frozen=True)
class Outcome:
    """Defective samples by class, and whether each class stays within its acceptance number."""

    defectives: Mapping[str, int]
    allowed: Mapping[str, int]
    found: tuple[str, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Classes with more defectives than allowed, worst first."""
        return tuple(c for c in CLASSES if self.defectives[c] > self.allowed[c])


def defect(row: Mapping[str, Any], characteristic: Mapping[str, Any]) -> str:
    """Return what is wrong with a reading, empty where nothing is."""
    if characteristic["kind"] == "attribute":
        return "" if row.get("passed") is True else f"{row['characteristic']}: failed"
    value = Decimal(str(row["value"]))
    low, high = characteristic.get("low"), characteristic.get("high")
    if (low is not None and value < Decimal(low)) or (high is not None and value > Decimal(high)):
        unit = characteristic.get("unit", "")
        return f"{row['characteristic']}: {value} {unit}, limits {low or '…'}–{high or '…'}".replace(
            " ,", ","
        )
    return ""


def complete_samples(fields: Mapping[str, Any]) -> int:
    """Return how many drawn samples have a reading of every characteristic."""
    wanted = {str(c["code"]) for c in fields.get("characteristics", ())}
    have: dict[int, set[str]] = {}
    for row in fields.get("readings", ()):
        have.setdefault(int(row["sample"]), set()).add(str(row["characteristic"]))
    return sum(wanted <= have.get(int(s["unit"]), set()) for s in fields.get("samples", ()))


def outcome_of(fields: Mapping[str, Any]) -> Outcome:
    """Return the outcome that the readings give; a sample with several defects counts once for a class."""
    known = {str(c["code"]): c for c in fields.get("characteristics", ())}
    bad: dict[str, set[int]] = {c: set() for c in CLASSES}
    found: list[str] = []
    for row in fields.get("readings", ()):
        characteristic = known[str(row["characteristic"])]
        said = defect(row, characteristic)
        if said:
            bad[str(characteristic["class_"])].add(int(row["sample"]))
            found.append(f"{row['sample']}: {said}")
    allowed = {c: int(fields.get(f"allowed_{c}", 0)) for c in CLASSES}
    return Outcome({c: len(bad[c]) for c in CLASSES}, allowed, tuple(found))


def malformed(fields: Mapping[str, Any]) -> Iterable[str]:
    """Yield what is wrong with the form of readings: unknown, doubled, without what its kind needs."""
    known = {str(c["code"]): c for c in fields.get("characteristics", ())}
    drawn = {int(s["unit"]) for s in fields.get("samples", ())}
    seen: set[tuple[int, str]] = set()
    for row in fields.get("readings", ()):
        unit, code = int(row["sample"]), str(row["characteristic"])
        if unit not in drawn:
            yield f"Sample {unit} was not drawn."
        elif code not in known:
            yield f"{code} is not a characteristic of this inspection."
        elif (unit, code) in seen:
            yield f"Sample {unit} has two readings of {code}."
        elif known[code]["kind"] == "attribute" and "passed" not in row:
            yield f"Sample {unit}, {code}: passed or not is said."
        elif known[code]["kind"] != "attribute" and "value" not in row:
            yield f"Sample {unit}, {code}: a value is given."
        seen.add((unit, code))
