"""The tutorial of a record type of one's own, followed as it is written: one file, and every command."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from coverslip.client import Coverslip
from coverslip.client.transport import parse_address
from coverslip.verifier import build
from fix_story import secret_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-record-type.md"
_SIGNING = ("do", "sign")


@dataclass(frozen=True)
class Line:
    """One command of the page, what its output must hold, and how it must be refused (empty: not at all)."""

    command: str
    said: tuple[str, ...]
    code: str


def _lines(text: str) -> list[Line]:
    found: list[Line] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.S):
        for line in block.splitlines():
            mark, _, rest = line.partition(" ")
            last = found[-1] if found else None
            if mark == "$":
                found.append(Line(rest, (), ""))
            elif mark == ">" and last is not None:
                found[-1] = Line(last.command, (*last.said, rest), last.code)
            elif mark == "!" and last is not None:
                found[-1] = Line(last.command, last.said, rest)
    return found


@dataclass
class Bench:
    """A folder with the laboratory of the page in it, and who is signed in at its terminal."""

    folder: Path
    username: str = ""

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run one command; what a person would type at the prompt comes from standard input."""
        words = shlex.split(command)
        assert words[0] == "coverslip"
        arguments = words[1:]
        if arguments[0] == "login":
            self.username = arguments[1]
        typed = ""
        if arguments[0] == "login" or arguments[1] in _SIGNING:
            arguments += ["--password-stdin"]
            arguments += ["--username", self.username] if arguments[0] != "login" else []
            typed = secret_of(self.username) + "\n"
        return subprocess.run(
            [sys.executable, "-m", "coverslip.cli", *arguments],
            capture_output=True, text=True, check=False, timeout=240, input=typed, cwd=self.folder,
            env=os.environ | {"XDG_CONFIG_HOME": str(self.folder / "config"),
                              "COVERSLIP_HOME": str(self.folder / "lab")},
        )  # fmt: skip


@pytest.fixture
def bench(story_home: Path) -> Iterator[Bench]:
    folder = story_home.parent
    (folder / "lab").symlink_to(story_home)
    types = story_home / "types"
    types.mkdir(mode=0o755)
    (declaration,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    (types / "lamp_replacement.py").write_text(declaration, "utf-8")
    (types / "lamp_replacement.py").chmod(0o644)
    yield Bench(folder)


def _serve(bench: Bench) -> subprocess.Popen[str]:
    served = subprocess.Popen(
        [sys.executable, "-m", "coverslip.cli", "serve", "--home", str(bench.folder / "lab")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert served.stdout is not None
    said: list[str] = []
    until = time.monotonic() + 120
    while time.monotonic() < until and (line := served.stdout.readline()):
        said.append(line)
        if line.startswith("ready: "):
            return served
    served.kill()
    raise AssertionError("".join(said))


def test_the_tutorial_works_as_it_is_written(bench: Bench) -> None:
    migrate, *rest = _lines(PAGE.read_text("utf-8"))
    done = bench.run(migrate.command)
    assert done.returncode == 0 and "defined lamp_replacement" in done.stdout, done.stdout + done.stderr
    served = _serve(bench)
    try:
        for line in rest:
            done = bench.run(line.command)
            output = done.stdout + done.stderr
            assert (done.returncode == 0) == (line.code == ""), f"{line.command}\n{output}"
            assert line.code in output
            for said in line.said:
                assert said in output, f"{line.command}\n{output}"
        _interface(bench)
    finally:
        served.terminate()
        served.communicate(timeout=60)
    _offline(bench)
    _whole(bench)


def _interface(bench: Bench) -> None:
    """The interface knows the type without having been told of it."""
    address = parse_address(f"unix:{(bench.folder / 'lab').resolve()}/run/api.sock")
    with closing(Coverslip(address)) as client:
        client.sign_in("rita", secret_of("rita"))
        assert "lamp_replacement" in {t["name"] for t in client.types()}
        shown = client.records.show("LMP-0001")
        assert [s["meaning"] for s in shown["signatures"]] == ["executed", "verified"]


def _offline(bench: Bench) -> None:
    """The bundle proves itself with the verifier alone."""
    program = bench.folder / "verify.pyz"
    program.write_bytes(build.build())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(program), "lamp.zip",
         "--keys", "lab/keys.txt", "--json"],
        capture_output=True, text=True, check=False, timeout=120, cwd=bench.folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "holds"


def _whole(bench: Bench) -> None:
    """What was written under the new definition verifies and is rebuilt from the ledger."""
    for check in ("verify", "replay"):
        done = bench.run(f"coverslip ledger {check} --home lab")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_a_declaration_that_others_can_write_is_refused(bench: Bench, mode: int) -> None:
    (bench.folder / "lab" / "types" / "lamp_replacement.py").chmod(mode)
    done = bench.run("coverslip migrate --home lab")
    assert done.returncode != 0 and "nobody else can write" in done.stderr


def test_a_declaration_that_loosens_a_load_check_is_refused_with_every_problem(bench: Bench) -> None:
    path = bench.folder / "lab" / "types" / "lamp_replacement.py"
    text = path.read_text("utf-8")
    path.write_text(
        text.replace('("performer",),\n', '("stranger",),\n').replace('title_field="lamp"', 'title_field="x"')
    )
    done = bench.run("coverslip migrate --home lab")
    assert done.returncode != 0
    assert "undeclared person stranger" in done.stderr and "title field x" in done.stderr


def test_taking_the_file_away_stops_the_installation_and_loses_nothing(bench: Bench) -> None:
    assert bench.run("coverslip migrate --home lab").returncode == 0
    path = bench.folder / "lab" / "types" / "lamp_replacement.py"
    path.rename(bench.folder / "kept.py")
    done = bench.run("coverslip migrate --home lab")
    assert done.returncode == 3 and "lamp_replacement" in done.stderr
    (bench.folder / "kept.py").rename(path)
    assert bench.run("coverslip migrate --home lab").returncode == 0
