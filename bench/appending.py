"""Many clients of the append function, without Python in the way: PostgreSQL's own ``pgbench`` calls it.

Rules kept here: as role cs_writer, one new stream per call, a body of 1.1 kB and a leaf of 640 bytes with its
real admission tag; the leaf is one fixed text, for the function only stores it.
"""

from __future__ import annotations

import hmac
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.rows import NotMeasured
from coverslip.ledger.tree import leaf_hash
from coverslip.store.server.binaries import find_binaries

_SCRIPT = """\
select ops.commit(gen_random_uuid(), null, null, '{actor}', null, null, null, clock_timestamp(), '{{}}',
 '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', array[gen_random_uuid()], '{{session}}', '{{1}}',
 array[null]::bytea[], array[null]::uuid[],
 array[null]::uuid[], array['\\x{leaf}'::bytea], array['\\x{tag}'::bytea], array['\\x{salt}'::bytea],
 array['\\x{body}'::bytea], array[null]::bytea[], array[null]::bytea[], '[null]');
"""
_TPS = re.compile(r"tps = ([0-9.]+)")


def _script(lab: Any, folder: Path) -> tuple[Path, Path]:
    data = lab.ask("select leaf from ledger.entry where kind = 'session' order by id desc limit 1")[0][0]
    key = bytes.fromhex(lab.home.secret("admission.key").read_text("ascii").strip())
    tag = hmac.digest(key, leaf_hash(bytes(data)), "sha256")
    path = folder / "append.sql"
    path.write_text(
        _SCRIPT.format(
            actor=lab.alan.uid, leaf=bytes(data).hex(), tag=tag.hex(), salt="5a" * 32, body="7b" * 1100
        )
    )
    program = find_binaries(use="evaluation").program("pgbench")
    if not program.exists():
        raise NotMeasured(f"{program.name} is not beside the server's programs")
    return path, program


def _command(program: Path, script: Path, dsn: dict[str, Any], clients: int, seconds: float) -> list[str]:
    return [
        str(program), "-n", "-M", "prepared", "-f", str(script), "-c", str(clients),
        "-j", str(min(clients, 2)), "-T", str(max(1, round(seconds))),
        "-h", dsn["host"], "-p", str(dsn["port"]), "-U", dsn["user"],
        dsn["dbname"],
    ]  # fmt: skip


def appends(lab: Any, folder: Path, clients: int, seconds: float) -> float:
    """Let so many clients append for a while; return appends per second."""
    with appending(lab, folder, clients, seconds) as process:
        out, err = process.communicate()
    found = _TPS.search(out)
    if process.returncode or found is None:
        raise NotMeasured(f"pgbench failed: {err.strip()[-200:]}")
    return float(found[1])


@contextmanager
def appending(lab: Any, folder: Path, clients: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Start the clients; whoever asked waits for them."""
    script, program = _script(lab, folder)
    dsn = lab.cluster.dsn("cs_writer")
    environment = {"PATH": os.environ["PATH"], "PGPASSWORD": dsn["password"]}
    with subprocess.Popen(
        _command(program, script, dsn, clients, seconds), env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        yield process
