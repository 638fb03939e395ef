"""Tiles over HTTP, against large_image: the same files, tiles, window and encoding, at one and 16 clients.

Rules kept here:

* Ours is the whole interface over a laboratory: the session is checked, the record found, every byte held
  against the vault's hashes, and decoding done in the limited processes. The peer is a bare server.
* Every tile is asked for once, so no cache of finished tiles answers; both have the file open already.
* Both show the same window of native values as JPEG of quality 85. The peer without a window, which does less
  work and shows something else, is measured beside it and nothing is owed of it.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from bench import peer
from bench.lab import folder, laboratory
from bench.rows import NotMeasured, Row, Size, at_most, ratio
from coverslip.bootstrap import wiring
from coverslip.kernel.change import Change

LOW, HIGH = 467, 3532
SIDE, TILE = 8192, 256
CLIENTS = (1, 16)
VENV = peer.ROOT / ".bench-tiles-venv"
LOCK = peer.ROOT / "requirements" / "bench-tiles.lock"
SCRIPT = peer.ROOT / "bench" / "peers" / "tileserver.py"
FIRST_TILE_MS = 500.0


def measure(size: Size) -> list[Row]:
    """Return tiles per second of both, for each compression and number of clients."""
    rows = []
    interpreter = peer.python(VENV, LOCK)
    rounds = min(3, size.rounds)
    with folder() as place, laboratory() as lab, served(lab) as (port, token):
        for name, compression in (("zstd", "zstd"), ("deflate", "zlib")):
            path = picture(place / f"{name}.tif", compression, SIDE if size.rounds > 2 else 2048)
            number = delivered(lab, path)
            for clients in CLIENTS:
                ours, theirs, bare = [], [], []
                for turn in range(rounds):
                    ours.append(_ours(port, token, number, clients, turn, path))
                    theirs.append(_theirs(interpreter, path, clients, turn, str(LOW), str(HIGH)))
                    bare.append(_theirs(interpreter, path, clients, turn, "-", "-"))
                title = f"tiles of {name} TIFF over HTTP, {clients} client{'s' if clients > 1 else ''}"
                mine = statistics.median(ours)
                rows.append(ratio(title, mine, "/s", "large_image", statistics.median(theirs), least=1))
                rows.append(
                    ratio(f"{title}, its own 8 bits", mine, "/s", "large_image", statistics.median(bare))
                )
        rows.append(_first(lab, place, port, token, size))
    return rows


def picture(path: Path, compression: str, side: int) -> Path:
    """Write a field of ``side`` x ``side`` 16-bit values in tiles, with cells and noise."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    field: npt.NDArray[Any] = 2000 + 1500 * np.sin(x / 37) * np.cos(y / 53)
    field += np.random.default_rng(1).normal(0, 40, field.shape).astype(np.float32)
    tifffile.imwrite(
        path, field.astype(np.uint16), tile=(TILE, TILE), compression=compression, metadata=None,
        photometric="minisblack",
    )  # fmt: skip
    return path


def delivered(lab: Any, path: Path) -> str:
    """Deliver a file into a running session and return the image's number."""
    session = lab.new_session()
    lab.start_session(session)
    data = path.read_bytes()
    manifest = {
        "name": path.name, "size": len(data), "sha256": sha256(data).hexdigest(), "sequence": 1,
        "reason": path.name,
    }  # fmt: skip
    return str(lab.ingest().deliver(session, lab.olga.context, manifest, io.BytesIO(data))["number"])


@contextmanager
def served(lab: Any) -> Iterator[tuple[int, str]]:
    """Serve the interface of a laboratory on a port of this machine; lend port and a reviewer's token."""
    import uvicorn

    from coverslip.api.app import create_app

    listener = wiring.bind("127.0.0.1", 0)
    config = uvicorn.Config(
        create_app(lab.services()), log_level="warning", access_log=False, server_header=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()[1], lab.rita.token
    finally:
        server.should_exit = True
        thread.join(30)


def places(path: Path, turn: int) -> list[tuple[int, int]]:
    """Return column and line of the tiles asked for, in an order of its own for each turn."""
    with tifffile.TiffFile(path) as file:
        across = -(-file.pages.first.imagewidth // TILE)
        down = -(-file.pages.first.imagelength // TILE)
    found = [(x, y) for y in range(down) for x in range(across)]
    np.random.default_rng(turn).shuffle(found)
    return [(int(x), int(y)) for x, y in found]


def load(port: int, clients: int, headers: dict[str, str], paths: list[str]) -> float:
    """Ask for every path once; return answers per second."""
    order = json.dumps({"port": port, "clients": clients, "headers": headers, "paths": paths})
    done = subprocess.run(
        [sys.executable, "-m", "bench.tileload"],
        input=order + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotMeasured(f"a tile was not answered: {done.stdout[:300]} {done.stderr[-300:]}")
    return len(paths) / float(json.loads(done.stdout)["seconds"])


def _ours(port: int, token: str, number: str, clients: int, turn: int, path: Path) -> float:
    # A window wider by a hair is the same work, and another address.
    window = f"0:ffffff:{LOW}:{HIGH}.{turn + 1}{clients}"
    base = f"/api/v1/images/{number}/tiles/0"
    headers = {"Authorization": f"Bearer {token}"}
    load(
        port,
        clients,
        headers,
        [f"{base}/0_0.jpg?channels={window}&q={q}" for q in range(40, 40 + 2 * clients)],
    )
    paths = [f"{base}/{x}_{y}.jpg?channels={window}" for x, y in places(path, turn)]
    return load(port, clients, headers, paths)


def _theirs(interpreter: Path, path: Path, clients: int, turn: int, low: str, high: str) -> float:
    environment = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1"}
    with subprocess.Popen(
        [interpreter, SCRIPT, str(path), low, high], env=environment, text=True, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline() or 0)
            if not port:
                raise NotMeasured("the peer did not start")
            time.sleep(0.3)
            load(port, clients, {}, ["/tile/0/0_0.jpg"] * 2 * clients)
            wanted = [one for one in places(path, turn) if one != (0, 0)]
            return load(port, clients, {}, [f"/tile/0/{x}_{y}.jpg" for x, y in wanted])
        finally:
            process.terminate()
            process.wait(30)


def _first(lab: Any, place: Path, port: int, token: str, size: Size) -> Row:
    """Measure the first tile of a slide nobody has opened yet; the file is not read whole for it."""
    side = 16384 if size.rounds > 2 else 4096
    path = place / "slide.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        shape = (side, side)
        tile = np.random.default_rng(2).integers(0, 4000, (TILE, TILE), dtype=np.uint16)
        writer.write(
            (tile for _ in range((side // TILE) ** 2)), shape=shape, dtype=np.uint16, tile=(TILE, TILE),
            compression="zstd", photometric="minisblack", metadata=None,
        )  # fmt: skip
    number = registered(lab, path)
    link = http.client.HTTPConnection("127.0.0.1", port)
    begin = time.perf_counter()
    link.request(
        "GET", f"/api/v1/images/{number}/tiles/0/9_9.jpg?channels=0:ffffff:0:4000",
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip
    answer = link.getresponse()
    answer.read()
    passed = (time.perf_counter() - begin) * 1000
    link.close()
    if answer.status != 200:
        raise NotMeasured(f"the first tile was answered {answer.status}")
    mib = path.stat().st_size / 2**20
    return at_most(f"first tile of an unopened slide of {mib:.0f} MiB", passed, "ms", FIRST_TILE_MS)


def registered(lab: Any, path: Path) -> str:
    """Register a file as the service does, without making its checks; return the image's number."""
    stored = lab.vault.store(path, 1 << 40)
    made = lab.new_image()
    fields = lab.row(made).fields
    value = {**fields["files"][0], "name": path.name, "size": stored.size, "sha256": stored.sha256}
    order = Change(
        "create", "image", fields={k: fields[k] for k in ("study", "session", "kind")} | {"name": path.name}
    )
    number = str(lab.door.submit(order, lab.service()).entries[0].number)
    read = {k: fields[k] for k in ("format", "uncalibrated", "dims", "checks")}
    lab.machine(number, "accept", **read, root=stored.root, files=[value | {"root": stored.root}])
    return number
