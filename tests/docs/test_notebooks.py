"""Notebooks run: every code cell, in order, at a laboratory that runs; they are kept without outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fix_science import Served

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(notebook: Path) -> list[tuple[str, str, dict[str, Any]]]:
    found = json.loads(notebook.read_text("utf-8"))
    assert found["nbformat"] == 4
    return [(one["id"], "".join(one["source"]), one) for one in found["cells"] if one["cell_type"] == "code"]


def run(notebook: Path) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for name, source, _ in cells(notebook):
            exec(compile(source, f"{notebook.name} {name}", "exec"), names)  # noqa: S102 - the notebook is ours
    finally:
        if "cs" in names:
            names["cs"].close()
    return names


def test_there_are_notebooks() -> None:
    assert [one.name for one in NOTEBOOKS] == ["first-steps.ipynb"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda one: one.stem)
def test_a_notebook_is_kept_without_outputs_and_without_a_secret(notebook: Path) -> None:
    for _, source, cell in cells(notebook):
        assert cell["outputs"] == [] and cell["execution_count"] is None
        assert "password" not in source and "token" not in source


def test_the_first_steps_run_from_beginning_to_end(
    science: Served, keyboard: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_SERVER", science.server)
    for name in ("COVERSLIP_TOKEN", "COVERSLIP_USER"):
        monkeypatch.delenv(name, raising=False)
    keyboard("alan")
    names = run(FOLDER / "first-steps.ipynb")
    assert names["corner"].shape == (64, 64)
    assert names["objects"].attrs["record"] == science.n["results"]
    assert names["run"].state == "completed" and names["run"].number != science.n["run"]
    assert names["cs"]._transport.token == ""


def test_a_cell_that_does_not_run_would_be_seen(tmp_path: Path) -> None:
    bad = {"cell_type": "code", "id": "bad", "source": ["1 / 0"], "outputs": [], "execution_count": None}
    (tmp_path / "bad.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [bad]}), "utf-8")
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "bad.ipynb")
