"""How a process is started that forgets what it frees.

Rules kept here: the process that takes passwords uses the C library's allocator, told to overwrite memory as
it is given back: what Python itself cannot overwrite goes when it is let go. Nothing else of the operator's
environment that steers Python reaches it. Where the C library is another (musl, macOS) the settings say
nothing to it, and freed memory keeps what was in it until it is used again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_OVERWRITE = "165"


def interpreter() -> list[str]:
    """Return the interpreter's command: isolated as with ``-I``, but for the variables below."""
    return [sys.executable, "-P", "-s"]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return ``given`` without anything for Python, with the allocator and its settings."""
    kept = {name: value for name, value in given.items() if not name.startswith("PYTHON")}
    # The small-block cache hands memory out again without overwriting it.
    tunables = f"glibc.malloc.perturb={_OVERWRITE}:glibc.malloc.tcache_count=0"
    return kept | {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": tunables}


def forgetful(role: str) -> tuple[list[str], dict[str, str] | None]:
    """Return interpreter and environment of a child; ``None`` is the environment as it is."""
    if role == "web":
        return interpreter(), environment(os.environ)
    return [sys.executable, "-I"], None
