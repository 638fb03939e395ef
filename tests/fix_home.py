"""A founded installation of one's own, stopped: made once per process, lent as copies."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.bootstrap import founding, wiring
from coverslip.kernel import keys
from coverslip.settings import Home
from fix_lab import CHEAP, FOUNDERS, ORIGIN, SITE, secret_of
from fix_store import copy_home


@pytest.fixture(scope="session")
def _founded(cluster_root: Path) -> Path:
    root = cluster_root / "founded"
    people = tuple(
        {"username": u, "name": n, "email": f"{u}@lab.example", "roles": list(r)} for u, n, r in FOUNDERS
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_COST", CHEAP)
        founding.init(
            root,
            founding.Founding(ORIGIN, "evaluation", SITE, people),
            {u: secret_of(u) for u, *_ in FOUNDERS},
        )
    return root


@pytest.fixture
def founded(_founded: Path, cluster_root: Path) -> Iterator[Home]:
    """A running copy of an installation just after genesis, nobody serving it."""
    parent = Path(tempfile.mkdtemp(prefix="f-", dir=cluster_root))
    parent.chmod(0o711)
    home = Home(copy_home(_founded, parent / "home"))
    with wiring.cluster_of(home).running():
        yield home
    shutil.rmtree(parent)
