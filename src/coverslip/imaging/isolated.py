"""Running a reader in a process of its own, so that a hostile file can hurt only that process.

Rules kept here:

* The process gets a bare environment, no standard input but its request, its own session, and
  limits on memory, time and output that it sets on itself before it opens the file.
* It is killed when its time is over. A crash, a kill or an answer of the wrong shape is a refusal
  of the file, naming what happened: it is never taken for "nothing wrong".
* Only the inability to start a process at all is an environment error.

The limits hold against broken and greedy files. They are no jail against code that takes over the
process through a decoder; the operating system's means (own user, no network) are for that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, cast

from coverslip.errors import EnvironmentFault
from coverslip.imaging.metadata import AnswerError, Limits, Refusal, refusal_from_answer

_START: Final = (
    "import sys\n"
    "if sys.argv[1] not in sys.path: sys.path.insert(0, sys.argv[1])\n"
    "from coverslip.imaging.readers.child import main\n"
    "sys.exit(main())\n"
)
ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TIFFFILE_NUM_THREADS": "1",
}
PACKAGE_ROOT: Final = str(Path(__file__).resolve().parents[2])
_ERROR_BYTES: Final = 64 << 10


def ask(task: str, path: Path, limits: Limits, **request: Any) -> dict[str, Any] | Refusal:
    """Have a reader process do one task on one file and return its answer.

    Raises:
        EnvironmentFault: ENVIRONMENT, no process can be started or its answer cannot be kept.
    """
    body = {"task": task, "path": str(path.absolute()), "limits": asdict(limits), **request}
    try:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            status = _run(json.dumps(body).encode(), limits, out.fileno(), errors.fileno())
            answer = os.pread(out.fileno(), limits.answer_bytes + 1, 0)
            said = os.pread(
                errors.fileno(), _ERROR_BYTES, max(0, os.fstat(errors.fileno()).st_size - _ERROR_BYTES)
            )
    except OSError as error:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what="image reader",
            expected="to start a reader process",
            found=str(error),
            remedy="Free memory and space for temporary files, then try again.",
        ) from error
    if status is None:
        return Refusal("limits", f"an answer within {limits.wall_seconds} s", "none; the reader was stopped")
    if status != 0:
        return _died(status, said.decode("utf-8", "replace"), limits)
    return _parse(answer, limits)


def _run(body: bytes, limits: Limits, out: int, errors: int) -> int | None:
    command = [sys.executable, "-I", "-B", "-c", _START, PACKAGE_ROOT]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=out, stderr=errors, env=ENVIRONMENT, cwd="/",
        start_new_session=True,
    )  # fmt: skip
    try:
        process.communicate(body, timeout=limits.wall_seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode


def _died(status: int, said: str, limits: Limits) -> Refusal:
    last = said.strip().rsplit("\n", 1)[-1][:400]
    if status == -signal.SIGXCPU:
        return Refusal(
            "limits", f"at most {limits.cpu_seconds} s of computing", "more; the reader was stopped"
        )
    if "MemoryError" in said or "Unable to allocate" in said:
        return Refusal(
            "limits", f"at most {limits.address_space} bytes of memory", "more; the reader gave up"
        )
    if status < 0:
        return Refusal(
            "parses", "a file the reader survives", f"the reader died of {signal.Signals(-status).name}"
        )
    return Refusal("parses", "a file the reader understands", last or f"the reader ended with {status}")


def _parse(answer: bytes, limits: Limits) -> dict[str, Any] | Refusal:
    if len(answer) > limits.answer_bytes:
        return Refusal("limits", f"an answer of at most {limits.answer_bytes} bytes", "more")
    try:
        value = json.loads(answer)
        if not isinstance(value, dict):
            raise AnswerError("no object")
        if "refused" in value:
            return refusal_from_answer(value["refused"])
    except (ValueError, RecursionError) as error:
        return Refusal("parses", "a reader's answer", f"something else: {error}"[:400])
    return cast("dict[str, Any]", value)
