"""Each import contract is seen to fail, with its name, on a copy of the package's outline that breaks it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

LINT = Path(sys.executable).with_name("lint-imports")

BREACHES = {
    "layers: down to up": ("Imports point down", "kernel/x.py", "import coverslip.store"),
    "layers: siblings": ("Imports point down", "web/x.py", "import coverslip.api"),
    "layers: services": ("Imports point down", "ingest/x.py", "import coverslip.analysis"),
    "layers: lowest": ("Imports point down", "errors.py", "import coverslip.ledger"),
    "layers: over a third": ("Imports point down", "records/x.py", "import coverslip.exports"),
    "layers: unknown part": ("Imports point down", "helpers/__init__.py", ""),
    "verifier: kernel": ("The verifier imports only the ledger", "verifier/x.py", "import coverslip.kernel"),
    "verifier: errors": ("The verifier imports only the ledger", "verifier/x.py", "import coverslip.errors"),
    "ledger": ("The ledger imports nothing of Coverslip", "ledger/x.py", "import coverslip.errors"),
    "client": ("The client imports nothing of the server", "client/x.py", "import coverslip.settings"),
    "adapters": ("Only bootstrap sees adapters", "web/x.py", "import coverslip.store"),
    "adapters: vault": ("Only bootstrap sees adapters", "exports/x.py", "import coverslip.vault"),
    "adapters: ingest": ("Only bootstrap sees adapters", "ingest/x.py", "import coverslip.vault"),
    "adapters: analysis": ("Only bootstrap sees adapters", "analysis/x.py", "import coverslip.store"),
    "adapters: review": ("Only bootstrap sees adapters", "review/x.py", "import coverslip.store"),
    "adapters: anchoring": ("Only bootstrap sees adapters", "api/x.py", "import coverslip.anchoring"),
    "layers: adapters": ("Imports point down", "anchoring/x.py", "import coverslip.store"),
    "commands: anchoring": (
        "Commands meet adapters through bootstrap only",
        "cli/x.py",
        "import coverslip.anchoring",
    ),
    "commands": ("Commands meet adapters through bootstrap only", "cli/x.py", "import coverslip.store"),
    "stdlib: ledger": (
        "The ledger and the verifier use the standard library only",
        "ledger/x.py",
        "import numpy",
    ),
    "stdlib: verifier": (
        "The ledger and the verifier use the standard library only",
        "verifier/x.py",
        "from cryptography import x509",
    ),
    "frameworks": ("The kernel imports no framework", "kernel/x.py", "import fastapi"),
    "frameworks: database": ("The kernel imports no framework", "kernel/x.py", "import psycopg"),
}


def contracts(root: Path) -> dict[str, str]:
    """Contracts by name, with their type."""
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    return {contract["name"]: contract["type"] for contract in declared["contracts"]}


def outline(root: Path, folder: Path) -> Path:
    """Lay out every part the contracts name, empty, beside a copy of the contracts; return its package."""
    shutil.copy(root / "pyproject.toml", folder / "pyproject.toml")
    layers = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    package = folder / "coverslip"
    package.mkdir()
    (package / "__init__.py").touch()
    for line in layers["layers"]:
        for part in line.replace("|", " ").replace(":", " ").split():
            name = part.strip("()")
            if name in {"settings", "units", "errors", "clauses"}:
                (package / f"{name}.py").touch()
            else:
                (package / name).mkdir()
                (package / name / "__init__.py").touch()
    return package


def lint(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [str(LINT), "--config", "pyproject.toml", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder), "COLUMNS": "200"},
    )
    return done.returncode, done.stdout + done.stderr


def test_every_contract_is_broken_by_some_breach(root: Path) -> None:
    assert {name for name, _, _ in BREACHES.values()} == set(contracts(root))


def test_the_outline_itself_keeps_every_contract(root: Path, tmp_path: Path) -> None:
    outline(root, tmp_path)
    code, said = lint(tmp_path)
    assert code == 0, said
    assert all(f"{name} KEPT" in said for name in contracts(root))


@pytest.mark.parametrize("case", sorted(BREACHES))
def test_a_breach_is_refused_by_the_contract_it_breaks(root: Path, tmp_path: Path, case: str) -> None:
    name, where, text = BREACHES[case]
    target = outline(root, tmp_path) / where
    target.parent.mkdir(exist_ok=True)
    target.write_text(text + "\n", encoding="utf-8")
    code, said = lint(tmp_path)
    assert code == 1, said
    assert f"{name} BROKEN" in said, said


def test_every_part_of_the_product_has_its_layer(root: Path, tmp_path: Path) -> None:
    known = {path.stem for path in outline(root, tmp_path).iterdir()}
    present = {
        p.stem
        for p in (root / "src" / "coverslip").iterdir()
        if p.suffix == ".py" or (p.is_dir() and any(p.rglob("*.py")))
    }
    assert present <= known
