"""Commands of completeness and recovery: what they print, how they end, and whom they let sign."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from coverslip import bootstrap
from coverslip.errors import Refused

SITUATION = {
    "signed": 282,
    "found": 130,
    "kept": 130,
    "lost": "entries 130 to 281 of the history signed before",
}
GAP = {"prefix": "RUN", "first": 3, "last": 4, "after": "", "before": "", "why": ["no entry tells"]}
GAPS = {
    "numbers": [GAP], "entry_ids": [], "leaves": [], "unissued_numbers": 2, "unused_entry_ids": 1,
    "missing_leaves": 0,
}  # fmt: skip


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    stand_in = create_autospec(bootstrap)
    stand_in.situation.return_value = SITUATION
    stand_in.recover.return_value = {"statement": "entries 130 to 281 are lost", "size": 131}
    stand_in.ledger_gaps.return_value = GAPS
    monkeypatch.setitem(sys.modules, "coverslip.bootstrap", stand_in)
    return stand_in


def password(folder: Path, name: str) -> str:
    path = folder / name
    path.write_text(f"secret of {name}\n", "utf-8")
    path.chmod(0o600)
    return f"{name}={path}"


def test_gaps_are_harmless_until_a_leaf_is_missing(run: Any, parts: Any, tmp_path: Path) -> None:
    ran = run("ledger", "gaps", "--home", tmp_path)
    assert ran.code == 0 and "RUN 3 to 4: no entry tells" in ran.out and "1 entry ids not used" in ran.out
    assert json.loads(run("ledger", "gaps", "--home", tmp_path, "--json").out) == GAPS
    parts.ledger_gaps.return_value = {**GAPS, "leaves": [{"first": 7, "last": 7}], "missing_leaves": 1}
    ran = run("ledger", "gaps", "--home", tmp_path)
    assert ran.code == 1 and "FINDING leaves 7 to 7 are missing" in ran.out


def test_heads_and_receipt_print_what_was_found(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.ledger_heads.return_value = {"tree_size": 9, "count": 4, "root": "ab"}
    assert "9" in run("ledger", "heads", "--home", tmp_path).out
    parts.receipt_check.return_value = ([], {"receipts": 1, "integrated": 1})
    assert run("ledger", "receipt", tmp_path / "r", "--home", tmp_path).code == 0
    lost = {"sentence": "receipt: it was accepted and is not on the ledger"}
    parts.receipt_check.return_value = ([lost], {"receipts": 1})
    ran = run("ledger", "receipt", tmp_path / "r", "--home", tmp_path)
    assert ran.code == 1 and "is not on the ledger" in ran.out


def test_a_recovery_is_shown_before_it_is_signed_and_takes_both_passwords(
    run: Any, parts: Any, tmp_path: Path
) -> None:
    shown = run("ledger", "recover", "--show", "--home", tmp_path)
    assert shown.code == 0 and "Declared lost are entries 130 to 281" in shown.out
    parts.recover.assert_not_called()
    two = [f"--password-file={password(tmp_path, name)}" for name in ("quinn", "ada")]
    given = ("--qa", "quinn", "--adm", "ada", "--reason", "The disk failed.", *two)
    ran = run("ledger", "recover", "--home", tmp_path, *given)
    assert ran.code == 0 and "entries 130 to 281 are lost" in ran.out, ran.err
    people, passwords, reason = parts.recover.call_args.args[1:4]
    assert people == {"QA": "quinn", "ADM": "ada"} and reason == "The disk failed."
    assert passwords == {"quinn": "secret of quinn", "ada": "secret of ada"}


def test_without_a_second_password_or_a_terminal_nothing_is_signed(
    run: Any, parts: Any, tmp_path: Path
) -> None:
    one = f"--password-file={password(tmp_path, 'quinn')}"
    given = ("--qa", "quinn", "--adm", "ada", "--reason", "The disk failed.", one)
    assert run("ledger", "recover", "--home", tmp_path, *given).code == 2
    assert run("ledger", "recover", "--home", tmp_path, "--qa", "quinn").code == 2
    parts.recover.assert_not_called()


def test_a_refused_recovery_says_why_and_ends_as_a_finding(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.situation.side_effect = Refused("RECOVERY_REFUSED", why="there is nothing to recover")
    ran = run("ledger", "recover", "--show", "--home", tmp_path)
    assert ran.code == 1 and "RECOVERY_REFUSED" in ran.err and "nothing to recover" in ran.err


def test_what_was_declared_lost_is_said_at_every_verification(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.ledger_verify.return_value = ([], {"entries": 9})
    parts.recoveries.return_value = ["entries 130 to 281 are lost"]
    ran = run("ledger", "verify", "--home", tmp_path)
    assert ran.code == 0 and "ON THE RECORD entries 130 to 281 are lost" in ran.out
    machine = json.loads(run("ledger", "verify", "--home", tmp_path, "--json").out)
    assert machine["notes"] == ["entries 130 to 281 are lost"]
