"""No package without its assets: a wheel or source archive holds what ``make assets`` made, or is not built.

An editable installation reads the tree itself and is not asked.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASSETS = "src/coverslip/web/static/assets"


def wrong_with(assets: Path) -> str:
    """Return what is wrong with the assets below ``assets``; nothing where they are as they were made."""
    manifest = assets / "manifest.json"
    if not manifest.is_file():
        return f"{ASSETS} has no manifest"
    for name, given in sorted(json.loads(manifest.read_bytes())["files"].items()):
        path = assets / given["file"]
        if not path.is_file():
            return f"{name} is missing"
        if hashlib.sha256(path.read_bytes()).hexdigest() != given["sha256"]:
            return f"{name} is not as it was made"
    return ""


class AssetsHook(BuildHookInterface[Any]):
    """Stop a build without assets by a sentence that says what to do."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Look before anything is packed."""
        wrong = "" if version == "editable" else wrong_with(Path(self.root) / ASSETS)
        if wrong:
            raise RuntimeError(
                f"The pages' assets are not there: {wrong}. Run 'make assets', then build again; "
                "Node.js is needed for that, or is installed by requirements/node.lock."
            )
