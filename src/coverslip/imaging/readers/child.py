"""The reader process: limits first, then one task on one file, then one JSON answer.

Started by ``isolated.ask`` with the request on standard input. It sets its own limits before any
parser is loaded and, once the decoders are loaded, refuses itself sockets, other programs and
writing anywhere but the one output it was given.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any, Final

_FORBIDDEN: Final = (
    *("socket.", "subprocess.", "shutil.", "pty.", "os.exec", "os.fork", "os.posix_spawn", "os.system"),
    *("os.spawn", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink"),
)
_ROOM_FOR_ANSWER: Final = 1 << 20


class Forbidden(RuntimeError):
    """The reader process tried something a reader has no need of."""


def main() -> int:
    """Do the task on standard input; print the answer; return the exit status."""
    request = json.load(sys.stdin)
    limits = request["limits"]
    _limit(limits, request["task"] == "plane")
    from coverslip.imaging.metadata import Limits  # loaded only under the limits
    from coverslip.imaging.readers import base, tasks

    output = request.get("output", "")
    sys.addaudithook(guard(output))
    with open(request["path"], "rb") as stream:
        source = base.Source.of(stream, Limits(**limits))
        try:
            answer: dict[str, Any] = tasks.do(request, source)
        except base.RefusedFile as refusal:
            answer = {"refused": refusal.values}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    return 0


def _limit(limits: dict[str, int], writes: bool) -> None:
    largest = limits["answer_bytes"] + _ROOM_FOR_ANSWER + (limits["max_plane_bytes"] if writes else 0)
    seconds = limits["cpu_seconds"]
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, largest, largest),
        (resource.RLIMIT_AS, limits["address_space"], limits["address_space"]),
        (resource.RLIMIT_CPU, seconds, seconds + 5),
        (resource.RLIMIT_NOFILE, 64, 64),
    ):
        resource.setrlimit(kind, (soft, hard))


def guard(output: str) -> Any:
    """Return an audit hook that refuses what a reader has no need of; it may write ``output`` only."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writing and str(path) != output:
                raise Forbidden(f"opening {path!r} for writing")
        elif event.startswith(_FORBIDDEN):
            raise Forbidden(event)

    return hook
