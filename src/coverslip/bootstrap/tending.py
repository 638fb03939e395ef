"""Tending the vault of an installation: checking all of it now, mending it, and the duty that does so daily.

Rules kept here: what must be there is what the ledger says, with what the current records say besides; an
upload that no record names yet is told apart from a stranger; mending asks a replica for bytes, never trust.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from coverslip.bootstrap import wiring
from coverslip.bootstrap.certifying import certify, enter, last_fixity, plain
from coverslip.bootstrap.labs import Lab
from coverslip.bootstrap.places import replicas
from coverslip.errors import EnvironmentFault
from coverslip.kernel.clock import wall_s
from coverslip.settings import Home
from coverslip.store.reading import PostgresReading
from coverslip.store.refusals import readable
from coverslip.vault.fixity import VaultFinding
from coverslip.vault.local import LocalVault
from coverslip.vault.tending import FixityDuty, treat

_ROOT: Final = re.compile(r"[0-9a-f]{64}")
_FRESH_S: Final = 24 * 3600
"""How long an upload may wait for the record that names it before a check speaks of it."""

Progress = Callable[[int, int], None]


def vault_check(
    root: Path,
    progress: Progress | None = None,
    replica: Sequence[Path] = (),
    repair: bool = False,
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Hash every object again, look for every object that any version of a record names, and for others.

    With ``repair`` each object that does not fit is set aside, its bytes kept, and put back from the first
    replica that has the right bytes: those given, then those the installation knows. What was done is a
    finding all the same, and an entry of the ledger. Uploads younger than a day that no record names are only
    counted.
    """
    home = Home(root)
    wiring.installation(home)
    sources = _vaults(home, replica)
    with wiring.database(home), readable(), wiring.core(home, size=1) as core:
        named = named_objects(core.reading)
        possible = {name for name in named if _ROOT.fullmatch(name)}
        report = core.vault.check(possible, progress)
        waiting = [one for one in report.findings if one.kind == "unnamed" and _age_s(one) < _FRESH_S]
        findings = [_told(one, named) for one in report.findings if one not in waiting]
        findings += [
            _finding("missing", name, named, "no object can have this name")
            for name in sorted(named.keys() - possible)
        ]
        findings += [
            _finding("damaged", name, named, "what was set aside is not as it was kept")
            for name in core.vault.changed_in_quarantine()
        ]
        mended = 0
        if repair:
            mended = _mend(home, core, sources, findings, named)
    counts = {
        "objects": report.objects, "bytes": report.size, "named": len(named),
        "uploads_no_record_names_yet": len(waiting),
    }  # fmt: skip
    return findings, counts | ({"mended": mended} if repair else {})


def named_objects(reading: PostgresReading) -> dict[str, list[str]]:
    """Return every root that a version of a record names, with the numbers of the records."""
    named = reading.named_roots()
    for root, holders in reading.kept_roots().items():
        known = named.setdefault(root, [])
        known += [number for number in holders if number not in known]
    return named


def fixity(lab: Lab) -> FixityDuty:
    """Return the duty that reads every object again within a season."""

    def last() -> dict[str, Any] | None:
        found = last_fixity(lab.core)
        return None if found is None else dict(found["detail"])

    def tell(sentence: str, numbers: Sequence[str], bucket: str) -> None:
        known = [number for number in numbers if lab.core.reading.find(number) is not None]
        lab.alerts().raise_alert("fixity", "critical", plain(sentence, 1000), known, bucket=bucket)

    return FixityDuty(
        lab.core.vault,
        lambda: named_objects(lab.core.reading),
        lambda: replicas(lab.core.home),
        last,
        lambda detail: enter(lab, "report", detail, "vault"),
        tell,
        lab.core.accounts.now,
    )


def _vaults(home: Home, given: Sequence[Path]) -> dict[str, LocalVault]:
    """Return replicas by label: those given, then those the installation knows."""
    found: dict[str, LocalVault] = {}
    for path in given:
        folder = path if (path / "objects").is_dir() else path / "vault"
        if not (folder / "objects").is_dir():
            raise EnvironmentFault(
                "ENVIRONMENT", what=str(path), expected="a vault, or a folder of backups",
                found="neither", remedy="Name the folder that holds 'objects' or 'vault'.",
            )  # fmt: skip
        found[str(path)] = LocalVault(folder.absolute())
    for label, one in replicas(home).items():
        if isinstance(one, LocalVault):
            found.setdefault(label, one)
    return found


def _mend(
    home: Home, core: wiring.Core, sources: dict[str, LocalVault], findings: list[dict[str, Any]],
    named: dict[str, list[str]],
) -> int:  # fmt: skip
    """Treat every object of the findings; say in them what was done; return how many are whole again."""
    whole = 0
    treated = []
    for name in sorted({str(one["object"]) for one in findings if one["kind"] not in ("extra", "unnamed")}):
        done = treat(core.vault, name, sources, named.get(name, ())) if _ROOT.fullmatch(name) else None
        if done is None:
            continue
        whole += done.whole
        treated.append(done.value() | {"found": plain(done.found)})
        for one in findings:
            if one["object"] == name:
                one["sentence"] = f"{one['sentence']}. Mending: {done.sentence()}"
    certify(home, "mended", {"found": len(treated), "whole": whole, "findings": treated[:50]}, "vault")
    return whole


def _age_s(finding: VaultFinding) -> float:
    return wall_s() - finding.modified if finding.modified >= 0 else _FRESH_S


def _told(one: VaultFinding, named: dict[str, list[str]]) -> dict[str, Any]:
    if one.kind == "unnamed":
        days = int(_age_s(one) // _FRESH_S)
        return _finding(one.kind, one.name, named, f"an upload that no record names, {days} days old")
    message = f"expected {one.expected}, found {one.found}" + (f" at {one.where}" if one.first >= 0 else "")
    return _finding(one.kind, one.name, named, message)


def _finding(kind: str, name: str, named: dict[str, list[str]], message: str) -> dict[str, Any]:
    # A file's own name may be all that a stranger has: show it whole where it is no root.
    holder = ", ".join(named.get(name, ())) or "no record"
    shown = f"{name[:16]}…" if _ROOT.fullmatch(name) else name
    return {
        "kind": kind,
        "object": name,
        "record": holder,
        "message": message,
        "sentence": f"{kind}: {holder}, object {shown}: {message}",
    }
