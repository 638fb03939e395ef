"""The commands of anchors, keys and the witness say what was done and leave with the right code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from coverslip.cli import anchoring, log_keys, main, witness

LINE = {
    "name": "w1", "type": "witness", "target": "https://w.example/", "independent": True, "overdue": False,
    "independence": "another institute", "size": 9, "at": "2026-11-21T07:00:00Z", "age_s": 4, "behind": 0,
    "sentence": "9 entries 4 s ago, 0 behind; another institute",
}  # fmt: skip


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """The composition root, replaced."""
    found = MagicMock()
    for module in (anchoring, log_keys):
        monkeypatch.setattr(module, "bootstrap", lambda: found)
    return found


def run(*words: object, home: Path) -> int:
    return main([*map(str, words), "--home", str(home)])


def test_a_place_is_added_with_what_was_given(parts: MagicMock, tmp_path: Path) -> None:
    parts.anchors_add.return_value = [LINE]
    roots = tmp_path / "roots.pem"
    code = run(
        "ledger",
        "anchors",
        "add",
        "tsa",
        "--type",
        "rfc3161",
        "--target",
        "https://t.example/",
        "--roots",
        roots,
        "--note",
        "by contract",
        home=tmp_path,
    )
    assert code == 0
    home, given = parts.anchors_add.call_args.args
    assert (home, given["name"], given["type"], given["roots"], given["note"], given["ca"]) == (
        tmp_path, "tsa", "rfc3161", str(roots), "by contract", "",
    )  # fmt: skip


@pytest.mark.parametrize(("changed", "code"), [({}, 0), ({"overdue": True}, 1), ({"error": "no route"}, 1)])
@pytest.mark.parametrize("command", ["list", "now"])
def test_a_place_that_is_old_or_failed_is_a_finding(
    parts: MagicMock, tmp_path: Path, capsys: Any, changed: dict[str, Any], code: int, command: str
) -> None:
    parts.anchors_list.return_value = parts.anchors_round.return_value = [LINE | changed]
    assert run("ledger", "anchors", command, "--json", home=tmp_path) == code
    assert json.loads(capsys.readouterr().out)["anchors"] == [LINE | changed]
    assert run("ledger", "anchors", command, home=tmp_path) == code
    said = capsys.readouterr().out
    assert "w1" in said


def test_a_place_that_never_took_one_is_shown(parts: MagicMock, tmp_path: Path, capsys: Any) -> None:
    never = {k: v for k, v in LINE.items() if k not in ("size", "at", "age_s", "behind")}
    parts.anchors_remove.return_value = [never]
    assert run("ledger", "anchors", "remove", "other", home=tmp_path) == 0
    assert "never" in capsys.readouterr().out


def test_the_single_anchor_command_still_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from coverslip.cli import operator

    found = MagicMock()
    found.anchor.return_value = {"target": "x", "size": 3}
    monkeypatch.setattr(operator, "bootstrap", lambda: found)
    assert run("ledger", "anchor", tmp_path / "kept", home=tmp_path) == 0
    found.anchor.assert_called_with(tmp_path, tmp_path / "kept")


def test_keys_are_listed_and_changed(parts: MagicMock, tmp_path: Path, capsys: Any) -> None:
    parts.keys_list.return_value = [
        {"key": "k1", "after": 0, "last": 9},
        {"key": "k2", "after": 9, "last": ""},
    ]
    parts.keys_rotate.return_value = {"old": "k1", "new": "k2"}
    assert run("ledger", "keys", "list", home=tmp_path) == 0
    assert "k2" in capsys.readouterr().out
    assert run("ledger", "keys", "rotate", "--json", home=tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["new"] == "k2"


# --- the witness, for real -------------------------------------------------------------------------


def test_a_witness_is_founded_once_and_says_its_key_and_what_it_knows(
    tmp_path: Path, capsys: Any, log: Any
) -> None:
    folder, key = str(tmp_path / "w"), log.key.verifier_key.format()
    assert main(["witness", "init", folder, "--name", "witness.example/w1", "--log", key]) == 0
    own = capsys.readouterr().out.strip()
    assert own.startswith("witness.example/w1+")
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o777 == 0o600
    assert main(["witness", "status", folder, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["key"], [one["origin"] for one in said["logs"]]) == (own, [log.origin])
    assert main(["witness", "status", folder]) == 0
    assert main(["witness", "init", folder, "--name", "witness.example/w1"]) == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda w: ["init", w, "--name", "no good name"],
        lambda w: ["know", w, "--log", "x"],
        lambda w: ["status", w],
        lambda w: ["serve", w, "--host", "0.0.0.0"],  # noqa: S104
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, capsys: Any, make: Callable[[str], list[str]]) -> None:
    assert main(["witness", *make(str(tmp_path / "w"))]) == 3
    assert "ENVIRONMENT" in capsys.readouterr().err


def test_the_witness_needs_no_home() -> None:
    assert witness.bootstrap().witness_init is not None
