"""The demonstration as a newcomer runs it: one command, no question, three last lines."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TIMEOUT_S = 600


def coverslip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coverslip.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, subprocess.CompletedProcess[str]]]:
    home = tmp_path_factory.mktemp("demo") / "lab"
    yield home, coverslip("demo", "--home", str(home))


def test_the_demonstration_ends_with_bundle_keys_and_verdict(
    played: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    home, done = played
    assert done.returncode == 0, done.stderr
    bundle, keys, verdict = done.stdout.splitlines()[-3:]
    assert bundle.startswith("bundle: ") and Path(bundle.removeprefix("bundle: ")).is_file()
    assert keys.startswith("keys: ") and Path(keys.removeprefix("keys: ")).is_file()
    assert verdict == "verdict: holds"
    assert not (home.parent / "lab-work").exists()


@pytest.mark.parametrize(
    "said",
    [
        "QUARANTINED",
        "AUTH_SELF",
        "is edited through another connection: FOUND",
        "is removed: FOUND",
        "is swapped: FOUND",
        "is moved to",
        "is put back: FOUND",
        "Control copy, untouched",
    ],
)
def test_the_demonstration_shows_each_refusal_and_each_deed_found(
    played: tuple[Path, subprocess.CompletedProcess[str]], said: str
) -> None:
    assert said in played[1].stdout


def test_the_lab_it_leaves_holds_and_its_passwords_are_private(
    played: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    home = played[0]
    for check in (("ledger", "verify"), ("ledger", "replay"), ("vault", "check")):
        done = coverslip(*check, "--home", str(home), "--json")
        assert done.returncode == 0, done.stdout
        assert json.loads(done.stdout)["verdict"] == "holds"
    accounts = home.with_name("lab-accounts.json")
    assert stat.S_IMODE(accounts.stat().st_mode) == 0o600
    passwords = [person["password"] for person in json.loads(accounts.read_text("utf-8"))]
    for path in (*(home / "logs").iterdir(), *(home / "postgres" / "log").iterdir()):
        text = path.read_bytes()
        assert not any(password.encode() in text for password in passwords), path


def test_everybody_of_the_demonstration_can_sign_in_afterwards(
    played: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    home = played[0]
    server = subprocess.Popen(
        [sys.executable, "-m", "coverslip.cli", "serve", "--home", str(home)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("ready: ")
        for person in json.loads(home.with_name("lab-accounts.json").read_text("utf-8")):
            done = subprocess.run(
                [sys.executable, "-m", "coverslip.cli", "login", person["username"], "--password-stdin"],
                input=person["password"] + "\n",
                capture_output=True,
                text=True,
                check=False,
                env=os.environ
                | {"COVERSLIP_HOME": str(home), "COVERSLIP_SESSION": str(tmp_path / person["username"])},
            )
            assert done.returncode == 0, done.stderr
    finally:
        server.terminate()
        server.wait(60)
        if server.stdout is not None:
            server.stdout.close()


def test_the_bundle_fails_by_name_when_one_byte_of_an_image_changes(
    played: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    bundle = Path(played[1].stdout.splitlines()[-3].removeprefix("bundle: "))
    data = bytearray(bundle.read_bytes())
    start = data.index(b"II*\x00")  # the first original that was delivered
    data[start + 5000] ^= 1
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(data)
    verifier = bundle.with_name("verify.pyz")
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            str(verifier),
            str(damaged),
            "--keys",
            str(bundle.with_name("keys.txt")),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 1
    assert "files/IMG-" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
