"""The project's own source, read once, for the tests about the project itself."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One Python module: its path below ``src/coverslip``, its text, its tree."""

    path: str
    text: str
    tree: ast.Module = field(repr=False)

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        return cls(path, text, ast.parse(text))

    def within(self, *parts: str) -> bool:
        """Say whether the module is one of ``parts`` (``kernel/clock.py``) or inside one (``store/``)."""
        return any(self.path == part or (part.endswith("/") and self.path.startswith(part)) for part in parts)

    def strings(self) -> Iterator[tuple[int, str]]:
        """Yield line and value of every string literal that is not a docstring."""
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield node.lineno, node.value

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield line and absolute name of everything imported, wherever in the module."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    package = ("coverslip/" + self.path).split("/")[: -node.level]
                    base = ".".join([*package, base]).rstrip(".")
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def read_tree(root: Path) -> list[Source]:
    """Return every module below ``root``, in order of path."""
    return [
        Source.of(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(root.rglob("*.py"))
    ]


@pytest.fixture(scope="session")
def source() -> type[Source]:
    """The class of a module, for tests that make a module up."""
    return Source


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def modules() -> list[Source]:
    """All modules of the product."""
    found = read_tree(ROOT / "src" / "coverslip")
    assert len(found) > 20, "the source was not found"
    return found


@pytest.fixture(scope="session")
def sql_files() -> dict[str, str]:
    """All SQL of the product by path below ``src/coverslip``."""
    base = ROOT / "src" / "coverslip"
    return {
        p.relative_to(base).as_posix(): p.read_text(encoding="utf-8") for p in sorted(base.rglob("*.sql"))
    }


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """Every text file that belongs to the project (tracked, or new and not ignored), by path."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    found = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 2_000_000:
            data = path.read_bytes()
            if b"\0" not in data:
                found[name] = data.decode("utf-8", "replace")
    assert "pyproject.toml" in found
    return found
