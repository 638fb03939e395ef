"""A run apart: what it gives, and every way it can fail, each with its name and its log."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coverslip.analysis import runner
from coverslip.analysis.runner import RunLimits, row_hashes, rows_root, run
from fix_analysis import drawn, job

CSV = "image,label,area_px\nIMG-1,1,300\nIMG-1,2,280\nIMG-2,1,310\n"


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a program in the place of the algorithm's process: same limits, same folder, same log."""
    real = subprocess.Popen

    def give(program: str) -> None:
        def start(command: list[str], **more: object) -> object:
            return real([sys.executable, "-I", "-c", program, command[-1]], **more)  # type: ignore[call-overload]

        monkeypatch.setattr(runner.subprocess, "Popen", start)

    return give


def test_a_run_counts_each_image_and_keeps_its_log() -> None:
    with run(job(drawn(1, 12), drawn(2, 7))) as outcome:
        assert outcome.completed, outcome.log
        assert outcome.failure is None
        assert [f["count"] for f in outcome.result["fields"]] == [12, 7]
        assert outcome.rows_root == rows_root(outcome.folder / "results.csv")
        assert len(row_hashes(outcome.folder / "results.csv")) == outcome.result["rows"] == 19
        assert "IMG-1: 12" in outcome.log
        assert (outcome.folder / "results.parquet").read_bytes()[:4] == b"PAR1"
        folder = outcome.folder
    assert not folder.exists(), "outputs are the caller's to keep; the folder is gone"


def test_what_the_run_saw_of_its_surroundings_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("COVERSLIP_SECRET", "walnut")
    with run(job(drawn(3, 4))) as outcome:
        assert outcome.completed, outcome.log
        system = outcome.result["system"]
        assert (system["threads"], system["hash_seed"], system["zone"]) == ("1", "0", "UTC")
        assert "walnut" not in (outcome.folder / "result.json").read_text("utf-8") + outcome.log


def test_a_flagged_image_has_no_count_and_no_rows() -> None:
    noise = np.random.default_rng(4).poisson(400, (256, 256)).astype(np.uint16)
    with run(job(noise, drawn(5, 9))) as outcome:
        flagged, counted = outcome.result["fields"]
        assert (flagged["usable"], flagged["count"]) == (False, None)
        assert (counted["usable"], counted["count"]) == (True, 9)
        assert outcome.result["rows"] == 9


def test_a_run_that_crashes_fails_with_its_log(child: Callable[[str], None]) -> None:
    child("print('before the end', flush=True)\nraise RuntimeError('the end')")
    with run(job(drawn(1, 3))) as outcome:
        assert not outcome.completed
        assert outcome.failure == "status"
        assert "status 1" in outcome.failed
        assert "before the end" in outcome.log
        assert "RuntimeError: the end" in outcome.log


def test_a_run_that_is_killed_fails_by_signal(child: Callable[[str], None]) -> None:
    child("import os, signal\nprint('here', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)")
    with run(job(drawn(1, 3))) as outcome:
        assert (outcome.failure, outcome.failed) == ("signal", "The run was ended by signal 9.")
        assert "here" in outcome.log


def test_a_run_that_hangs_is_ended_with_everything_it_started(
    child: Callable[[str], None], tmp_path: Path
) -> None:
    mark = tmp_path / "grandchild"
    inner = f"import time, pathlib; time.sleep(2); pathlib.Path({str(mark)!r}).touch()"
    child(
        "import subprocess, sys, time\nprint('waiting', flush=True)\n"
        f"subprocess.Popen([sys.executable, '-c', {inner!r}])\ntime.sleep(60)"
    )
    with run(job(drawn(1, 3), limits=RunLimits(wall_seconds=1))) as outcome:
        assert outcome.failure == "timeout"
        assert "longer than 1 s" in outcome.failed
        assert "waiting" in outcome.log
    time.sleep(1.5)
    assert not mark.exists(), "what the run started went on without it"


def test_a_run_that_wants_too_much_memory_fails_and_says_so() -> None:
    # Enough to start with, and far too little for the distance transforms of a large field.
    large = np.random.default_rng(7).integers(0, 60_000, (6000, 6000), dtype=np.uint16)
    with run(job(large, limits=RunLimits(address_space_bytes=900 << 20))) as outcome:
        assert not outcome.completed
        assert outcome.failure in ("status", "signal")
        assert "Memory" in outcome.log or "memory" in outcome.log or "allocate" in outcome.log


def test_a_run_that_uses_too_much_processor_time_is_ended(child: Callable[[str], None]) -> None:
    child("while True: pass")
    with run(job(drawn(1, 3), limits=RunLimits(cpu_seconds=1, wall_seconds=60))) as outcome:
        assert outcome.failure == "signal"


@pytest.mark.parametrize(
    "program",
    [
        "print('done')",
        "import sys, pathlib; pathlib.Path(sys.argv[1], 'result.json').write_text('{')",
        "import sys, pathlib; pathlib.Path(sys.argv[1], 'result.json').write_text('[]')",
        "import sys, pathlib; pathlib.Path(sys.argv[1], 'result.json').write_text('{}')",
        "import sys, pathlib; pathlib.Path(sys.argv[1], 'result.json').write_text('{\"code_hash\": \"a\"}')",
        "import sys, pathlib; pathlib.Path(sys.argv[1], 'result.json').write_bytes(bytes([255, 254]))",
    ],
    ids=["nothing", "cut", "a list", "empty", "no table", "no text"],
)
def test_a_run_without_a_readable_result_fails(child: Callable[[str], None], program: str) -> None:
    child(program)
    with run(job(drawn(1, 3))) as outcome:
        assert outcome.failure == "result"
        assert not outcome.completed


def test_code_that_is_not_the_registered_code_makes_no_result() -> None:
    with run(job(drawn(1, 3), code="ab" * 32)) as outcome:
        assert outcome.failure == "code"
        assert "abababab" in outcome.failed
        assert outcome.result == {}, "nothing it computed is handed on"
        assert "IMG-1" in outcome.log


def test_a_log_without_end_is_cut(child: Callable[[str], None]) -> None:
    child("import sys\nfor _ in range(40): sys.stdout.write('x' * 65536)\nsys.exit(4)")
    with run(job(drawn(1, 3))) as outcome:
        assert outcome.failure == "status"
        assert len(outcome.log) == runner.LOG_LIMIT


@pytest.mark.parametrize(
    "changed",
    [
        CSV.replace("280", "281"),
        CSV.replace("IMG-2", "IMG-3"),
        CSV.replace("IMG-1,2,280\n", ""),
        CSV + "IMG-2,2,1\n",
        CSV.replace("IMG-1,1,300\nIMG-1,2,280\n", "IMG-1,2,280\nIMG-1,1,300\n"),
        CSV.replace("area_px", "area"),
        CSV.splitlines()[0] + "\n",
    ],
    ids=["value", "image", "gone", "more", "order", "column", "none left"],
)
def test_the_root_of_the_rows_moves_with_any_change(tmp_path: Path, changed: str) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text(CSV, "utf-8")
    other.write_text(changed, "utf-8")
    assert rows_root(one) == rows_root(one)
    assert rows_root(one) != rows_root(other)
