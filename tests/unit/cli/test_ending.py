"""How commands end: never with a trace, never as if all were well."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coverslip.cli import app
from coverslip.cli.failing import exit_code
from coverslip.client.errors import ApiError, fault, from_problem, misuse, unreachable
from coverslip.errors import CATALOGUE, EnvironmentFault, Refused


def test_what_nobody_foresaw_is_one_line_and_a_private_log(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs").mkdir()
    monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path))

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("coverslip.cli.caller.Caller.client", broken)
    ran = run("whoami")
    assert ran.code == 3 and len(ran.err.splitlines()) == 1 and "Traceback" not in ran.err
    log = Path(re.search(r"in (/\S+\.log)\.$", ran.err.strip())[1])  # type: ignore[index]
    assert log.parent == tmp_path / "logs" and "ZeroDivisionError: inside" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["record"], ["record", "show"], ["export", "A-1"], ["login"]]
)
def test_wrong_usage_is_2(run: Any, arguments: list[str]) -> None:
    assert run(*arguments).code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (misuse("x", "y", "z"), 2),
        (unreachable("The server", "refused"), 3),
        (fault("a", "b", "c"), 3),
        (EnvironmentFault("TRAIL_UNAVAILABLE"), 3),
        (Refused("METHOD", action="DELETE"), 1),
        (from_problem({"code": "CLOCK"}, 503), 1),
        (from_problem({"code": "RECOVERY_REQUIRED"}, 503), 1),
        (from_problem({"code": "TRAIL_UNAVAILABLE"}, 500), 3),
        (from_problem({"code": "UNHEARD_OF"}, 502), 3),
        (from_problem({"code": "UNHEARD_OF"}, 403), 1),
    ],
)
def test_the_exit_code_follows_from_what_was_found(error: Any, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_no_answer_of_the_server_counts_as_fine_or_as_wrong_usage(code: str) -> None:
    error = from_problem({"code": code}, CATALOGUE[code].status)
    assert isinstance(error, ApiError) and exit_code(error) == (
        3 if CATALOGUE[code].family == "environment" else 1
    )


def test_the_command_line_starts_without_the_servers_packages() -> None:
    probe = (
        "import sys, coverslip.cli\n"
        "heavy = {'fastapi', 'psycopg', 'numpy', 'cryptography', 'argon2', 'pydantic', 'msgspec'}\n"
        "print(sorted(heavy & {m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_explains_itself() -> None:
    from typer.main import get_command

    def unexplained(group: Any, path: str = "") -> list[str]:
        found = []
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                found += unexplained(command, f"{path} {name}")
            elif not command.help or any(
                not getattr(p, "help", None) for p in command.params if p.name not in ("help",)
            ):
                found.append(f"{path} {name}")
        return found

    assert unexplained(get_command(app)) == []
