"""Shipped record types: one declaration per module, nothing that acts.

A module below a folder of this package that holds ``TYPE`` is a record type; nothing lists it elsewhere.
Modules whose name begins with an underscore hold what several declarations share.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator

from coverslip.kernel.words import Type

__all__ = ["all_types"]


@functools.cache
def all_types() -> tuple[Type, ...]:
    """Return every shipped type, by folder and module name."""
    return tuple(_found())


def _found() -> Iterator[Type]:
    for folder in sorted(m.name for m in pkgutil.iter_modules(__path__, f"{__name__}.") if m.ispkg):
        package = importlib.import_module(folder)
        for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__, f"{folder}.")):
            if not module.rpartition(".")[2].startswith("_"):
                yield importlib.import_module(module).TYPE
