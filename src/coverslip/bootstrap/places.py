"""Where backups and replicas of an installation lie: ``HOME/backup.json``, read fresh each time.

Rules kept here: naming a place changes no record; a malformed file is told, never taken for *nowhere*.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from coverslip.errors import EnvironmentFault
from coverslip.settings import Home
from coverslip.vault.damage import Replica
from coverslip.vault.local import LocalVault

FILE = "backup.json"
VAULT = "vault"


@dataclass(frozen=True, slots=True)
class Places:
    """``target`` and ``keys`` of scheduled backups, ``replica`` another folder of the same objects.

    All absolute paths as text, empty where there is none. ``every_hours`` between backups, ``drill_days``
    between restore drills.
    """

    target: str = ""
    keys: str = ""
    replica: str = ""
    every_hours: int = 24
    drill_days: int = 90


def read_places(home: Home) -> Places:
    """Return the places of a home; none where no file says so. Raises ENVIRONMENT for a malformed file."""
    path = home.root / FILE
    try:
        value = json.loads(path.read_text("utf-8"))
        found = Places(
            str(value["target"]), str(value["keys"]), str(value["replica"]), int(value["every_hours"]),
            int(value["drill_days"]),
        )  # fmt: skip
        if found.every_hours < 1 or found.drill_days < 1:
            raise ValueError("an interval of nothing")
        return found
    except FileNotFoundError:
        return Places()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentFault(
            "ENVIRONMENT", what=str(path), expected="backup places", found=f"{error}",
            remedy="Name them again with 'coverslip backup --set-target'.",
        ) from error  # fmt: skip


def write_places(home: Home, places: Places) -> None:
    """Keep the places; the file is there whole or as it was."""
    draft = home.root / f"{FILE}.new"
    draft.write_text(json.dumps(asdict(places), indent=2, sort_keys=True) + "\n", "utf-8")
    draft.replace(home.root / FILE)


def replicas(home: Home) -> Mapping[str, Replica]:
    """Return the replicas of the vault that can be reached now, by label, nearest first."""
    places = read_places(home)
    folders = {"the replica": Path(places.replica)} if places.replica else {}
    if places.target:
        folders["the backup"] = Path(places.target) / VAULT
    return {label: LocalVault(folder) for label, folder in folders.items() if (folder / "objects").is_dir()}
