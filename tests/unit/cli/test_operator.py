"""Operators' commands: what they ask of the installation, and how they end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from coverslip import bootstrap
from coverslip.bootstrap.migrating import Migrated
from coverslip.errors import EnvironmentFault

FOUNDERS = [
    {"username": name, "name": name.title(), "email": f"{name}@lab.test", "roles": [role]}
    for name, role in (("ada", "ADM"), ("quin", "QA"), ("auth", "AUT"))
]
ANSWERS = {"origin": "lab.test/coverslip", "use": "evaluation", "site": {"name": "Lab"}, "founders": FOUNDERS}
FINDING = {
    "what": "entry",
    "entry": 7,
    "record": "STU-0001",
    "version": 2,
    "field": "state",
    "expected": "planned",
    "found": "closed",
    "message": "The state shown is not the one recorded.",
}


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The composition root with the real signatures and chosen answers."""
    stand_in = create_autospec(bootstrap)
    stand_in.Founding = bootstrap.Founding
    monkeypatch.setitem(sys.modules, "coverslip.bootstrap", stand_in)
    return stand_in


@pytest.fixture
def secrets(tmp_path: Path) -> list[str]:
    """Options naming a private password file for every founder."""
    options = []
    for founder in FOUNDERS:
        file = tmp_path / f"{founder['username']}.secret"
        file.write_text(f"secret of {founder['username']}\n")
        file.chmod(0o600)
        options += ["--password-file", f"{founder['username']}={file}"]
    return options


def write(folder: Path, **changed: Any) -> Path:
    path = folder / "answers.json"
    path.write_text(json.dumps(ANSWERS | changed))
    return path


def test_an_installation_is_founded_from_answers_and_private_files(
    run: Any, parts: Any, secrets: list[str], tmp_path: Path
) -> None:
    parts.init.return_value = 44
    ran = run("init", "--home", tmp_path / "home", "--answers", write(tmp_path), *secrets)
    assert ran.code == 0 and "not for GxP use" in ran.out
    root, founding, passwords, _ = parts.init.call_args.args
    assert root == tmp_path / "home" and founding.use == "evaluation" and len(founding.founders) == 3
    assert passwords["quin"] == "secret of quin" and "secret of" not in ran.out


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "production"},
        {"founders": FOUNDERS[:2]},
        {"founders": [*FOUNDERS[:2], FOUNDERS[0]]},
        {"origin": ""},
        {"site": {}},
        {"founders": [{"username": "x"}] * 3},
        {"founders": [dict(f, roles=["QA"]) for f in FOUNDERS]},
    ],
)
def test_answers_that_cannot_found_a_lab_found_nothing(
    run: Any, parts: Any, secrets: list[str], tmp_path: Path, changed: dict[str, Any]
) -> None:
    assert (
        run("init", "--home", tmp_path / "home", "--answers", write(tmp_path, **changed), *secrets).code == 2
    )
    parts.init.assert_not_called()


def test_a_founder_without_a_password_is_asked_and_never_given_a_default(
    run: Any, parts: Any, secrets: list[str], tmp_path: Path
) -> None:
    ran = run("init", "--home", tmp_path / "home", "--answers", write(tmp_path), *secrets[:4])
    assert ran.code == 2 and "the password" in ran.err
    parts.init.assert_not_called()


def test_a_password_file_others_can_read_is_not_used(
    run: Any, parts: Any, secrets: list[str], tmp_path: Path
) -> None:
    (tmp_path / "ada.secret").chmod(0o644)
    assert run("init", "--home", tmp_path / "home", "--answers", write(tmp_path), *secrets).code == 2
    parts.init.assert_not_called()


@pytest.mark.parametrize("command", ["verify", "replay"])
def test_a_ledger_that_holds_says_how_much_was_checked(
    run: Any, parts: Any, tmp_path: Path, command: str
) -> None:
    getattr(parts, f"ledger_{command}").return_value = ([], {"entries": 412, "signatures": 9})
    ran = run("ledger", command, "--home", tmp_path)
    assert ran.code == 0 and "holds" in ran.out and "412 entries" in ran.out


@pytest.mark.parametrize("command", [("ledger", "verify"), ("ledger", "replay"), ("vault", "check")])
def test_a_finding_is_told_with_its_place_and_exit_1(
    run: Any, parts: Any, tmp_path: Path, command: tuple[str, str]
) -> None:
    getattr(parts, "_".join(command)).return_value = ([FINDING], {"entries": 412})
    ran = run(*command, "--home", tmp_path)
    assert ran.code == 1 and "STU-0001" in ran.out and "The state shown is not the one recorded." in ran.out
    machine = run(*command, "--home", tmp_path, "--json")
    assert machine.code == 1 and json.loads(machine.out)["findings"] == [FINDING]


def test_a_finding_that_tells_itself_is_told_in_its_own_words(run: Any, parts: Any, tmp_path: Path) -> None:
    found = FINDING | {"sentence": "Entry 7: the state of STU-0001 was changed."}
    parts.ledger_replay.return_value = ([found], {"records": 3, "findings": 250})
    ran = run("ledger", "replay", "--home", tmp_path)
    assert "FINDING Entry 7: the state of STU-0001 was changed." in ran.out
    assert "250 findings; checked 3 records\n" in ran.out


@pytest.mark.parametrize("counts", [{"entries": 0}, {}, {"findings": 0}])
def test_a_check_of_nothing_does_not_hold(
    run: Any, parts: Any, tmp_path: Path, counts: dict[str, int]
) -> None:
    parts.ledger_verify.return_value = ([], counts)
    ran = run("ledger", "verify", "--home", tmp_path)
    assert ran.code == 3 and "nothing was checked" in ran.out


@pytest.mark.parametrize("name", ["admissions_unchecked", "unchecked_evidence", "witnesses_silent"])
def test_a_ledger_of_which_something_could_not_be_checked_does_not_hold(
    run: Any, parts: Any, tmp_path: Path, name: str
) -> None:
    parts.recoveries.return_value = []
    parts.ledger_verify.return_value = ([], {"entries": 9, name: 2})
    ran = run("ledger", "verify", "--home", tmp_path)
    assert ran.code == 3 and "could not be determined; 0 findings" in ran.out
    assert f"NOT CHECKED 2 {name.replace('_', ' ')}\n" in ran.out
    machine = json.loads(run("ledger", "verify", "--home", tmp_path, "--json").out)
    assert machine["verdict"] == "could not be determined"
    parts.ledger_verify.return_value = ([FINDING], {"entries": 9, name: 2})
    assert run("ledger", "verify", "--home", tmp_path).code == 1, "a finding is a finding all the same"
    parts.ledger_verify.return_value = ([], {"entries": 9, name: 0})
    assert run("ledger", "verify", "--home", tmp_path).code == 0


def test_a_vault_without_files_holds_when_no_record_names_one(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.vault_check.return_value = ([], {"objects": 0, "named": 0})
    ran = run("vault", "check", "--home", tmp_path)
    assert ran.code == 0 and "holds; 0 findings; checked 0 objects, 0 named" in ran.out


@pytest.mark.parametrize(
    ("verdicts", "code"), [([True, True], 0), ([True, None], 3), ([None, False], 1), ([], 3)]
)
def test_the_doctor_never_calls_unknown_fine(
    run: Any, parts: Any, tmp_path: Path, verdicts: list[bool | None], code: int
) -> None:
    parts.doctor.return_value = [
        {
            "check": f"c{i}",
            "ok": ok,
            "state": {True: "ok", False: "finding", None: "unknown"}[ok],
            "found": "x",
            "remedy": "Do this.",
        }
        for i, ok in enumerate(verdicts)
    ]
    ran = run("doctor", "--home", tmp_path)
    assert ran.code == code and ran.out.count("Do this.") == sum(ok is not True for ok in verdicts)


def test_a_database_that_is_down_could_not_be_determined(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.ledger_status.side_effect = EnvironmentFault("UNAVAILABLE", what="The database")
    ran = run("ledger", "status", "--home", tmp_path)
    assert ran.code == 3 and ran.err.startswith("UNAVAILABLE: The database does not answer.")


def test_the_home_comes_from_the_environment_or_is_asked_for(
    run: Any, parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.ledger_status.return_value = {"size": 4}
    assert run("ledger", "status").code == 2
    monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path))
    assert json.loads(run("ledger", "status", "--json").out) == {"size": 4}
    parts.ledger_status.assert_called_with(tmp_path)


def test_serving_passes_on_where_to_listen(run: Any, parts: Any, tmp_path: Path) -> None:
    assert run("serve", "--home", tmp_path, "--host", "127.0.0.1", "--port", 8080).code == 0
    parts.listening.assert_called_once_with("127.0.0.1", 8080, None, None, ())
    parts.serve.assert_called_once_with(tmp_path, None, parts.listening.return_value, database_url="")


def test_the_small_commands_print_what_the_installation_says(run: Any, parts: Any, tmp_path: Path) -> None:
    parts.checkpoint.return_value = "lab.test/coverslip\n4\n…\n"
    parts.entry_proof.return_value = "proof\n"
    parts.anchor.return_value = {"size": 4, "target": "/mnt/other"}
    parts.vault_locate.return_value = [{"name": "a.tif", "path": "/x"}]
    parts.migrate.return_value = Migrated(("0002 links",), ("study",), 2)
    for command, said in (
        (["ledger", "checkpoint"], "lab.test/coverslip"),
        (["ledger", "proof", 3], "proof"),
        (["ledger", "anchor", "/mnt/other"], "/mnt/other"),
        (["vault", "locate", "IMG-1"], "a.tif\t/x"),
        (["migrate"], "applied 0002 links\ndefined study\n1 migrations applied, 1 types defined, 2 entries"),
    ):
        ran = run(*command, "--home", tmp_path)
        assert ran.code == 0 and said in ran.out


def test_the_verifier_keeps_its_own_exit_codes(run: Any, tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"no zip")
    (tmp_path / "keys.txt").write_text("no key\n")
    assert run("verify", tmp_path / "b.zip", "--keys", tmp_path / "keys.txt").code == 2


def test_without_the_servers_packages_an_operator_is_told_what_to_install(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name="psycopg")

    monkeypatch.setattr("coverslip.cli.bootstrapping.importlib.import_module", missing)
    ran = run("doctor", "--home", tmp_path)
    assert ran.code == 3 and "psycopg" in ran.err and "coverslip[server" in ran.err
