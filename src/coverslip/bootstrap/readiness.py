"""What a home is founded with beside records: where backups and checkpoints go, and what must be there.

Rules kept here:

* A regulated installation needs PostgreSQL programs of the system or a server of the site, a clock that is
  right, a place for backups and one place for checkpoints that is not this machine's, before it is founded
  (DESIGN 8). It is refused with everything it lacks at once.
* What is named must be usable, whatever the installation is for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coverslip.anchoring import targets
from coverslip.anchoring.refusal import AnchorRefused
from coverslip.anchoring.targets import Target, Targets
from coverslip.anchoring.timestamp import roots
from coverslip.bootstrap import anchors, backing, wiring
from coverslip.bootstrap.places import Places, write_places
from coverslip.errors import CoverslipError, EnvironmentFault, Invalid
from coverslip.ledger import note
from coverslip.ledger.failure import LedgerError
from coverslip.settings import Home
from coverslip.store.server import find_binaries

REGULATED = "regulated"


def lacking(
    home: Home, use: str, database_url: str, backup_to: str, keys_to: str, named: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Return what is missing or unusable, in sentences, by ``database``, ``backup`` and ``anchor``."""
    found: dict[str, str] = {}
    if not database_url:
        try:
            find_binaries(use=use)
        except CoverslipError as error:
            found["database"] = f"{error.message} {error.remedy}"
    if backup_to:
        try:
            backing.check_places(home, Path(backup_to), Path(keys_to) if keys_to else None)
            for named_place in filter(None, (backup_to, keys_to)):
                _require_writable(Path(named_place))
            backing.require_free(Path(backup_to))
        except CoverslipError as error:
            found["backup"] = error.message
    elif use == REGULATED:
        found["backup"] = "A regulated installation names a folder for backups, outside the installation."
    try:
        made = [_target(one) for one in named]
        independent = [one for one in made if targets.independence(one, _existing(home.root))[0]]
    except (CoverslipError, AnchorRefused, LedgerError, TypeError, OSError) as error:
        found["anchor"] = f"The anchor cannot be used: {error}"
    else:
        if use == REGULATED and not independent:
            found["anchor"] = (
                "A regulated installation keeps checkpoints where this machine cannot change them: a witness,"
                " a timestamp authority, or a folder on another machine's disk."
            )
    return found


def require(
    home: Home, use: str, database_url: str, backup_to: str, keys_to: str, named: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse to found what lacks something. Raises ``NOT_READY`` with all of it."""
    found = lacking(home, use, database_url, backup_to, keys_to, named)
    if use != REGULATED:
        found.pop("database", None)  # making the database tells it in its own words
    if found:
        raise Invalid("NOT_READY", what=" ".join(found.values()).removesuffix("."))


def keep(home: Home, backup_to: str, keys_to: str, named: Sequence[Mapping[str, Any]]) -> None:
    """Write down where backups and checkpoints go."""
    if backup_to:
        write_places(home, Places(target=backup_to, keys=keys_to))
    if named:
        kept = Targets()
        for one in named:
            kept = kept.plus(_target(one))
        targets.save(anchors.targets_file(home), kept)


def claim(home: Home, backup_to: str) -> None:
    """Mark the folder of backups as this installation's, so that the keeper knows it again and backs up."""
    if backup_to:
        target = Path(backup_to)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        backing.claim(target, wiring.installation(home))


def _require_writable(place: Path) -> None:
    """Refuse a folder that is none, or cannot be made or written to (``ENVIRONMENT``)."""
    near = _existing(place)
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=str(place),
            expected="a folder this server can write to",
            found="none",
            remedy="Mount it, or give this server's account the right to write there.",
        )


def _target(given: Mapping[str, Any]) -> Target:
    one = Target(**given)
    targets.check(one)
    if one.vkey:
        note.VerifierKey.parse(one.vkey)
    if one.roots:
        roots(Path(one.roots))
    return one


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
