"""The reader process that stays: opens files, and answers for parts of them until it is told to end.

Rules kept here:

* Limits are set before a parser is loaded; sockets, other programs and writing are refused by the process to
  itself. It reads files by the paths it is given, and answers on one pipe.
* A refused file leaves it standing. Anything unforeseen, and any lack of memory, is answered as a refusal of
  the file and ends the process: nothing goes on in a state nobody knows.
* An alarm ends it where one answer takes longer than it was given, though nobody be left to kill it.

A question is one line of JSON. An answer is two lengths (32 bits, big-endian), JSON, and bytes.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

_LENGTHS: Final = struct.Struct(">II")
_OPEN_FILES: Final = 16


def main() -> int:
    """Answer until the questions end."""
    out = os.dup(1)
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    begin = json.loads(questions.readline())
    _limit(begin["limits"])
    from coverslip.imaging.metadata import Limits
    from coverslip.imaging.readers.child import guard
    from coverslip.imaging.readers.desk import Desk

    desk = Desk(Limits(**begin["limits"]), _OPEN_FILES)
    sys.addaudithook(guard(""))
    _reply(out, {"ready": True}, b"")
    for line in questions:
        question = json.loads(line)
        signal.alarm(int(question.get("seconds", 60)) + 5)
        answer, data, stay = _answer(desk.answer, question)
        signal.alarm(0)
        _reply(out, answer, data)
        if not stay:
            return 1
    return 0


def _answer(
    ask: Callable[[dict[str, Any]], tuple[dict[str, Any], bytes]], question: dict[str, Any]
) -> tuple[dict[str, Any], bytes, bool]:
    from coverslip.imaging.readers.base import RefusedFile
    from coverslip.imaging.readers.desk import UNFORESEEN

    try:
        return *ask(question), True
    except RefusedFile as refusal:
        return {"refused": refusal.values}, b"", True
    except MemoryError:
        values = {"check": "limits", "expected": "memory within the limit", "found": "more", "where": ""}
        return {"refused": values, "leaving": True}, b"", False
    except UNFORESEEN as error:
        found = f"{type(error).__name__}: {error}"[:400]
        values = {"check": "parses", "expected": "a file the reader understands", "found": found, "where": ""}
        return {"refused": values, "leaving": True}, b"", False


def _reply(out: int, answer: dict[str, Any], data: bytes) -> None:
    head = json.dumps(answer).encode()
    view = memoryview(_LENGTHS.pack(len(head), len(data)) + head + data)
    while view:
        view = view[os.write(out, view) :]


def _limit(limits: dict[str, int]) -> None:
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_AS, limits["address_space"], limits["address_space"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"], limits["cpu_seconds"] + 5),
        (resource.RLIMIT_NOFILE, 64, 64),
    ):
        resource.setrlimit(kind, (soft, hard))
