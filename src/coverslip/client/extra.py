"""What only scientists need: numpy, pandas, pyarrow and zarr, taken up when first used.

Rule kept here: the client itself imports none of them, so that a device or a command runs without; where
one is missing, the error names the extra that brings it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from coverslip.client.errors import misuse

EXTRA = "science"
INSTALL = f"python -m pip install 'coverslip[{EXTRA}]'"


def need(name: str, purpose: str) -> Any:
    """Return a module of the extra. Raises ``MisuseError`` that says how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise misuse(
            purpose,
            f"the package {name.partition('.')[0]} (extra '{EXTRA}')",
            f"none that can be imported ({error})",
            f"Install the extra: {INSTALL}",
        ) from error
