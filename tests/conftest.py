"""What holds for every test: nothing is skipped, no other machine is called, random tests can be repeated.

A failing property test prints its example as a blob; pytest-randomly prints the seed of the order and of
every random generator. Repeat a run with ``-p randomly -p "randomly_seed=SEED"`` or ``--randomly-seed=SEED``.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Fixtures that more than one folder uses, one module each; `pythonpath` in pyproject.toml finds them by name.
pytest_plugins = (
    "fix_store",
    "fix_guards",
    "fix_memory",
    "fix_story",
    "fix_science",
    "fix_caller",
    "fix_grounds",
    "fix_people",
    "fix_world",
    "fix_authority",
    "fix_home",
    "fix_old_home",
    "fix_site_server",
    "fix_witness",
    "fix_native",
    "fix_browser",
    "fix_pages",
    "fix_day",
)

settings.register_profile(
    "coverslip",
    deadline=None,  # two busy cores make wall-clock deadlines a source of noise
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("coverslip")

_NOT_RUN = "This test did not run: {why}. Nothing is skipped here; provide what it needs."


def _explained(report: Any) -> str:
    longrepr = report.longrepr
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Turn a skip into a failure: a missing part must be seen, not passed over."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr = _NOT_RUN.format(why=_explained(report))
        report.outcome = "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """The same for whole modules (``importorskip``, ``skip`` at module level)."""
    report = yield
    if report.skipped:
        report.longrepr = _NOT_RUN.format(why=_explained(report))
        report.outcome = "failed"
    return report


_NEEDS_ROOT = "root_only"
"""Fixture of tests about what root does; an ordinary account has no such ways, so they do not apply to it."""


LONG = ("vocabulary", "e2e", "simulation", "migration", "adversarial")
"""Folders of what takes minutes, in the order in which they are begun."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: for a third of its time a test waits for what it started."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin what takes minutes first, so that no worker ends alone with it; else the order stays random."""
    _leave_to_root(config, items)
    items.sort(key=_begun)


def _begun(item: pytest.Item) -> int:
    folders = item.path.parts[:-1]
    return next((n for n, folder in enumerate(LONG) if folder in folders), len(LONG))


def _leave_to_root(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests of root's own ways to root; every run as root, and so the one that decides, has them."""
    if os.geteuid() == 0:
        return
    roots = [item for item in items if _NEEDS_ROOT in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in roots]
    config.hook.pytest_deselected(items=roots)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly which tests an ordinary account could not be asked."""
    if os.geteuid() != 0:
        terminalreporter.section("not asked of an ordinary account")
        terminalreporter.line(
            "Tests of how root gives the server away need root; run 'make test' as root too."
        )


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a path: a socket of this machine
    host = str(address[0])
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def _network_is_closed() -> Generator[None, None, None]:
    """Refuse connections of Python sockets to any other machine."""
    original = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if not _is_local(address):
            raise AssertionError(f"a test tried to reach {address!r}; tests talk to this machine only")
        original(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield
