"""The ledger and the verifier need only Python: an inspector's laptop has nothing else."""

from __future__ import annotations

import sys
from typing import Any

import pytest

ALLOWED = {
    "ledger/": ("coverslip.ledger",),
    "verifier/": ("coverslip.ledger", "coverslip.verifier"),
    "error_codes.py": (),
    "errors.py": ("coverslip.error_codes",),
    "clauses.py": (),
    "settings.py": ("coverslip.errors", "coverslip.clauses", "coverslip.units"),
}


def foreign_imports(module: Any, allowed: tuple[str, ...]) -> list[str]:
    def may(name: str) -> bool:
        own = any(name == a or name.startswith(a + ".") for a in allowed)
        return own or name.split(".")[0] in sys.stdlib_module_names

    return [f"{module.path}:{line} {name}" for line, name in module.imports() if not may(name)]


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_only_the_standard_library_is_imported(modules: list[Any], part: str) -> None:
    own = [module for module in modules if module.within(part)]
    assert own
    assert [hit for module in own for hit in foreign_imports(module, ALLOWED[part])] == []


def test_the_package_itself_imports_nothing(modules: list[Any]) -> None:
    (package,) = [module for module in modules if module.path == "__init__.py"]
    assert list(package.imports()) == []


@pytest.mark.parametrize(
    "text", ["import requests", "from coverslip.errors import Refused", "from .. import errors"]
)
def test_a_foreign_import_would_be_seen(source: Any, text: str) -> None:
    assert foreign_imports(source.of("ledger/tree.py", text), ALLOWED["ledger/"])


def test_a_relative_import_inside_the_ledger_is_let_through(source: Any) -> None:
    assert foreign_imports(source.of("ledger/tree.py", "from . import leaf"), ALLOWED["ledger/"]) == []
