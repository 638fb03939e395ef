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

__all__ = ["all_types", "areas"]


@functools.cache
def all_types() -> tuple[Type, ...]:
    """Return every shipped type, by folder and module name."""
    return tuple(_found())


def _found() -> Iterator[Type]:
    for folder in sorted(m.name for m in pkgutil.iter_modules(__path__, f"{__name__}.") if m.ispkg):
        yield from (importlib.import_module(module).TYPE for module in _modules(folder))


def _modules(folder: str) -> Iterator[str]:
    package = importlib.import_module(folder)
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__, f"{folder}.")):
        if not module.rpartition(".")[2].startswith("_"):
            yield module


@functools.cache
def areas() -> dict[str, str]:
    """Return by type name the folder its declaration lies in: imaging, documents, quality and so on."""
    return {
        importlib.import_module(module).TYPE.name: module.split(".")[-2]
        for folder in sorted(m.name for m in pkgutil.iter_modules(__path__, f"{__name__}.") if m.ispkg)
        for module in _modules(folder)
    }
