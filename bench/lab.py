"""The laboratory that is measured: a real installation on a disk, founded and peopled as the tests do it.

Rules kept here: PostgreSQL flushes as it does for a laboratory (the disk of ``TMPDIR``, not memory); only
while people are enrolled is the cost of deriving keys lowered, never while something is measured.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coverslip.kernel import keys
from coverslip.store.server import Cluster

TESTS = Path(__file__).parents[1] / "tests"


@contextmanager
def folder() -> Iterator[Path]:
    """Lend a folder on disk that PostgreSQL's account may pass through; it is removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="coverslip-bench-"))
    root.chmod(0o711)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def fixtures() -> Any:
    """Return the module that founds laboratories for tests."""
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    return importlib.import_module("fix_grounds")


@contextmanager
def laboratory(environment: dict[str, str] | None = None) -> Iterator[Any]:
    """Lend an open ``fix_lab.Lab``: SOP in force, study under way, people trained.

    ``environment`` is given to PostgreSQL while it is measured, not while the laboratory is founded.
    """
    made = fixtures()
    with folder() as root:
        cost, keys._COST = keys._COST, made.CHEAP
        try:
            grounds = made.Grounds(root / "home")
            with grounds.cluster.running(), grounds.open() as lab:
                made.furnish(lab)
        finally:
            keys._COST = cost
        if environment:
            grounds.cluster = Cluster(grounds.home.root, "evaluation", environment=environment)
        with grounds.cluster.running(), grounds.open() as lab:
            # Opening lowers the cost for people who sign in; what is measured pays the true one.
            yield lab


def session_fields(lab: Any) -> dict[str, Any]:
    """Return the fields of a new acquisition session: four links, one of them pinned."""
    return {
        "title": "Plate 1",
        "study": lab.n["study"],
        "operator": lab.number_of("alan"),
        "instrument": lab.n["instrument"],
        "method": f"{lab.n['sop']} v1",
    }


def edited_fields(n: int) -> dict[str, Any]:
    """Return what the ``n``-th edit of an acquisition session changes."""
    return {
        "environment": {"temperature": f"{20 + n}.5", "humidity": "40"},
        "not_imaged": f"Position {n} was out of focus.",
    }
