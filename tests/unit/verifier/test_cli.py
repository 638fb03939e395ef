"""``verify.pyz``: built reproducibly, run anywhere, exit codes as promised."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bundle_lab import Lab

from coverslip.verifier import build, cli


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab().live()


@pytest.fixture
def folder(lab: Lab, tmp_path: Path) -> Path:
    (tmp_path / "bundle.zip").write_bytes(lab.bundle())
    (tmp_path / "keys.txt").write_text(lab.keys)
    return tmp_path


def _run(folder: Path, *arguments: str) -> int:
    return cli.main([str(folder / "bundle.zip"), "--keys", str(folder / "keys.txt"), *arguments])


def test_two_builds_are_the_same_bytes() -> None:
    assert build.build() == build.build()


def test_the_program_holds_only_verifier_and_ledger(tmp_path: Path) -> None:
    assert build.main([str(tmp_path / "verify.pyz")]) == 0
    with zipfile.ZipFile(tmp_path / "verify.pyz") as archive:
        names = archive.namelist()
    assert names == sorted(names)
    assert {"/".join(name.split("/")[:2]) for name in names} == {
        "__main__.py", "coverslip/__init__.py", "coverslip/ledger", "coverslip/verifier",
    }  # fmt: skip


def test_the_program_runs_alone_outside_the_tree(folder: Path) -> None:
    program = folder / "verify.pyz"
    program.write_bytes(build.build())
    command = [sys.executable, "-I", str(program), "bundle.zip", "--keys", "keys.txt"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "verdict: holds"
    (folder / "bundle.zip").write_bytes((folder / "bundle.zip").read_bytes()[:-1])
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "verdict: does not hold: 1 finding(s)"


def test_the_build_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_report_in_json_carries_what_the_text_says(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(folder) == 0
    text = capsys.readouterr().out
    assert _run(folder, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["verdict"] == "holds" and value["exit"] == 0 and value["findings"] == []
    assert all(line in text for line in value["holds"] + value["not_proven"])
    assert "evaluation installation, clock not attested, not for GxP use" in text
    assert "No independent anchor was given" in text


def test_a_finding_in_json_has_its_places(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = (folder / "bundle.zip").read_bytes()
    (folder / "bundle.zip").write_bytes(data.replace(b"+typing error", b"+typing errop", 1))
    assert _run(folder, "--json") == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {"entry": 17, "record": "IMG-2027-000001", "field": "reason"}.items() <= found[1].items()


@pytest.mark.parametrize(
    ("keys", "says"),
    [(b"", "no key"), (b"# nothing\n", "no key"), (b"rubbish\n", "line 1"), (b"\xff\xfe", "UTF-8")],
)
def test_a_key_list_that_cannot_be_used_is_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], keys: bytes, says: str
) -> None:
    (folder / "keys.txt").write_bytes(keys)
    assert _run(folder) == 2
    assert says in capsys.readouterr().err


def test_comments_in_a_key_list_are_passed_over(folder: Path, lab: Lab) -> None:
    lines = [f"{line} # as printed on page 3" for line in lab.keys.splitlines()]
    (folder / "keys.txt").write_text("\n\n".join(lines))
    assert _run(folder) == 0


@pytest.mark.parametrize("missing", ["bundle.zip", "keys.txt"])
def test_a_missing_file_is_wrong_usage(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    assert _run(folder) == 2


def test_a_missing_anchor_folder_is_wrong_usage(folder: Path) -> None:
    assert _run(folder, "--anchors", str(folder / "nowhere")) == 2
    assert _run(folder, "--max-anchor-age-hours", "4") == 2


def test_unknown_options_are_wrong_usage(folder: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        _run(folder, "--trust-me")
    assert stopped.value.code == 2


def test_untrusted_keys_are_exit_2_and_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = Lab()
    other = "\n".join(lab.keys.splitlines()[1:2])
    (folder / "keys.txt").write_text(other)
    assert _run(folder) == 2
    assert capsys.readouterr().out.splitlines()[-1] == "verdict: not judged: untrusted keys"


def test_the_verifier_imports_nothing_but_itself_the_ledger_and_the_standard_library() -> None:
    code = (
        "import sys; sys.path.insert(0, 'SRC'); import coverslip.verifier.cli; "
        "print([m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names "
        "and not m.startswith(('coverslip.verifier', 'coverslip.ledger')) "
        "and m not in ('coverslip', '__main__') and not m.startswith('_sysconfigdata')])"
    ).replace("SRC", str(Path(cli.__file__).parents[2]))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
