"""Lock files hold names, versions, markers and hashes, and cover what the project declares."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

PIN = re.compile(r"[a-z0-9][a-z0-9._-]*(?:\[[a-z0-9,_-]+\])?==[^\s;@/]+(?: ; [^\\@/:]+?)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
COMMENT = re.compile(r"# [\w., :-]+`make lock`\.")
LOCKS = {
    "server.lock": {"server", "imaging", "embedded"},
    "dev.lock": {"server", "imaging", "embedded", "dev"},
}


def stray_lines(text: str) -> list[str]:
    return [
        line
        for line in text.splitlines()
        if not (PIN.fullmatch(line) or HASH.fullmatch(line) or COMMENT.fullmatch(line))
    ]


def locked_names(text: str) -> set[str]:
    return {line.split("==")[0].split("[")[0] for line in text.splitlines() if PIN.fullmatch(line)}


@pytest.mark.parametrize("name", sorted(LOCKS))
def test_a_lock_holds_nothing_but_names_versions_and_hashes(root: Path, name: str) -> None:
    text = (root / "requirements" / name).read_text(encoding="utf-8")
    assert len(locked_names(text)) > 20
    assert stray_lines(text) == []


@pytest.mark.parametrize("name", sorted(LOCKS))
def test_a_lock_covers_every_declared_dependency(root: Path, name: str) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = list(project["dependencies"])
    for extra in LOCKS[name]:
        declared += project["optional-dependencies"][extra]
    wanted = {re.split(r"[\s\[<>=;~!]", requirement)[0].lower() for requirement in declared}
    assert wanted - locked_names((root / "requirements" / name).read_text(encoding="utf-8")) == set()


def test_the_development_lock_installs_the_same_product(root: Path) -> None:
    pins = {
        name: set(
            re.findall(
                r"^([a-z0-9._-]+(?:\[[^\]]+\])?==\S+)", (root / "requirements" / name).read_text(), re.M
            )
        )
        for name in LOCKS
    }
    assert pins["server.lock"] <= pins["dev.lock"]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example/simple",
        "coverslip @ file:///somewhere/coverslip",
        "    # via -r /somewhere/requirements.in",
        "numpy>=2",
    ],
)
def test_a_line_that_says_more_would_be_seen(line: str) -> None:
    assert stray_lines(line)
