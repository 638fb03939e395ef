"""One module per area of pages. A module here that holds ``router`` is served; nothing lists it elsewhere."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from fastapi import APIRouter


def routers() -> Iterator[APIRouter]:
    """Yield the router of every area, by module name."""
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__, f"{__name__}.")):
        yield importlib.import_module(module).router
