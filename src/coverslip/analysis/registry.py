"""Registered algorithms: what can be run, with which parameters, and the hash of the code that runs.

Rules kept here:

* The code hash covers every source file under ``analysis.algorithms``: a changed line is a new version.
* The environment hash covers the packages an algorithm imports, file by file; system and processor are
  recorded beside it (DESIGN 8).
* A parameter outside its range is refused before anything runs.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata as metadata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import Any

from coverslip.analysis.algorithms.nucleus_count import Limits, Parameters
from coverslip.errors import Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: kind ``decimal`` or ``int``, default, range (both ends allowed), unit."""

    name: str
    kind: str
    default: str
    low: str
    high: str
    unit: str


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What is registered under ``id`` and ``semver``. ``imports`` are the distributions it computes with."""

    id: str
    semver: str
    entry_point: str
    intended_use: str
    parameters: tuple[Parameter, ...]
    outputs: tuple[tuple[str, str], ...]
    limits: Mapping[str, str]
    imports: tuple[str, ...]

    def check(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return all parameters, defaults filled in; raises ``VAL_RANGE`` or ``VAL_FORM``."""
        known = {p.name: p for p in self.parameters}
        for name in values:
            if name not in known:
                raise Invalid(
                    "VAL_FORM", field=name, expected=f"a parameter of {self.id}", found="an unknown name"
                )
        return {p.name: _checked(p, values.get(p.name, p.default)) for p in self.parameters}


def _checked(parameter: Parameter, text: str) -> str:
    try:
        value = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        value = Decimal("NaN")
    if not value.is_finite() or (parameter.kind == "int" and value != value.to_integral_value()):
        raise Invalid("VAL_FORM", field=parameter.name, expected=f"a {parameter.kind}", found=str(text)[:40])
    if not Decimal(parameter.low) <= value <= Decimal(parameter.high):
        limits = f"{parameter.low}–{parameter.high} {parameter.unit}".strip()
        raise Invalid("VAL_RANGE", field=parameter.name, value=str(text), limits=limits)
    return str(text)


def _defaults() -> dict[str, str]:
    return {name: str(value) for name, value in asdict(Parameters()).items()}


_D = _defaults()
NUCLEUS_COUNT = Algorithm(
    id="nucleus-count",
    semver="1.0.0",
    entry_point="coverslip.analysis.algorithms.nucleus_count:count_nuclei",
    intended_use="Counting fluorescently stained nuclei in one channel of a two-dimensional field.",
    parameters=(
        Parameter("smoothing_px", "decimal", _D["smoothing_px"], "0.5", "5", "px"),
        Parameter("noise_factor", "decimal", _D["noise_factor"], "2", "10", ""),
        Parameter("otsu_fraction", "decimal", _D["otsu_fraction"], "0.2", "0.9", ""),
        Parameter("envelope_fraction", "decimal", _D["envelope_fraction"], "0.1", "0.8", ""),
        Parameter("background_share", "decimal", _D["background_share"], "0", "1", ""),
        Parameter("seed_height", "decimal", _D["seed_height"], "0.005", "0.5", ""),
        Parameter("drop_fraction", "decimal", _D["drop_fraction"], "0", "0.5", ""),
        Parameter("min_area_px", "int", _D["min_area_px"], "1", "10000", "px"),
        Parameter("channel", "int", "0", "0", "999", ""),
    ),
    outputs=(("count", "1"), ("median_area", "px")),
    limits={name: str(value) for name, value in asdict(Limits()).items()},
    imports=("numpy", "scipy", "scikit-image"),
)
_REGISTERED = {NUCLEUS_COUNT.entry_point: NUCLEUS_COUNT}


def find(entry_point: str) -> Algorithm:
    """Return the algorithm behind an entry point; raises ``NOT_FOUND``."""
    try:
        return _REGISTERED[entry_point]
    except KeyError:
        raise NotFound("NOT_FOUND", what="algorithm", record=entry_point[:80]) from None


@functools.cache
def code_hash() -> str:
    """Return the SHA-256 (hex) over path and bytes of every source file of the bundled algorithms."""
    total = hashlib.sha256()
    root = files("coverslip.analysis.algorithms")
    for entry in sorted(root.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".py"):
            data = entry.read_bytes()
            total.update(f"{entry.name}\x00{len(data)}\x00".encode() + data)
    return total.hexdigest()


@functools.cache
def environment(imports: tuple[str, ...]) -> dict[str, Any]:
    """Return the packages an algorithm computes with: name, version, hash over their recorded files."""
    packages = []
    for name in imports:
        found = metadata.distribution(name)
        recorded = sorted(
            f"{f}={f.hash.value if f.hash else ''}" for f in found.files or () if not _changing(str(f))
        )
        digest = hashlib.sha256("\n".join(recorded).encode()).hexdigest()
        packages.append({"name": name, "version": found.version, "files": digest})
    return {"packages": packages}


def _changing(path: str) -> bool:
    return path.endswith((".pyc", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json")) or path.startswith(
        "../"
    )


def env_digest(imports: tuple[str, ...]) -> str:
    """Return the SHA-256 (hex) over the packages an algorithm computes with."""
    lines = [f"{p['name']} {p['version']} {p['files']}" for p in environment(imports)["packages"]]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def bundled() -> list[dict[str, Any]]:
    """Return every bundled algorithm as the field values of its record, with its parameters."""
    return [
        {
            "id": a.id,
            "algorithm": {
                "semver": a.semver,
                "entry_point": a.entry_point,
                "code_hash": code_hash(),
                "env_digest": env_digest(a.imports),
                "operating_limits": dict(a.limits),
                "intended_use": a.intended_use,
            },
            "parameters": [
                {
                    "name": p.name,
                    "value": p.default,
                    "allowed_lo": p.low,
                    "allowed_hi": p.high,
                    **({"unit": p.unit} if p.unit else {}),
                }
                for p in a.parameters
            ],
            "outputs": [{"quantity_name": name, "unit": unit} for name, unit in a.outputs],
        }
        for a in _REGISTERED.values()
    ]
