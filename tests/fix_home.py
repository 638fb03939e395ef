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
def founded_stopped(_founded: Path, cluster_root: Path) -> Iterator[Home]:
    """A stopped copy of an installation just after genesis."""
    parent = Path(tempfile.mkdtemp(prefix="f-", dir=cluster_root))
    parent.chmod(0o711)
    yield Home(copy_home(_founded, parent / "home"))
    shutil.rmtree(parent)


@pytest.fixture
def founded(founded_stopped: Home) -> Iterator[Home]:
    """A copy of an installation just after genesis, its database running and nobody serving it."""
    with wiring.cluster_of(founded_stopped).running():
        yield founded_stopped
