"""Tiles over HTTP, against large_image: the same files, tiles, window and encoding, at one and 16 clients.

Rules kept here:

* Ours is the whole interface over a laboratory: the session is checked, the record found, every byte held
  against the vault's hashes, and decoding done in the limited processes. The peer is a bare server.
* Every tile is asked for once, so no cache of finished tiles answers; both have the file open already. They
  answer shares of the tiles in turns, and the best turn of each counts: whatever else runs slows both.
* Both show the same window of native values as JPEG of quality 85. The peer without a window, which does less
  work and shows something else, is measured beside it and nothing is owed of it.
"""

from __future__ import annotations

import http.client
import io
import json
import os
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
TURNS = 3
VENV = peer.ROOT / ".bench-tiles-venv"
LOCK = peer.ROOT / "requirements" / "bench-tiles.lock"
SCRIPT = peer.ROOT / "bench" / "peers" / "tileserver.py"
FIRST_TILE_MS = 500.0


def measure(size: Size) -> list[Row]:
    """Return tiles per second of both, for each compression and number of clients."""
    rows = []
    interpreter = peer.python(VENV, LOCK)
    with folder() as place, laboratory() as lab, served(lab) as (port, token):
        for name, compression in (("zstd", "zstd"), ("deflate", "zlib")):
            path = picture(place / f"{name}.tif", compression, SIDE if size.rounds > 2 else 2048)
            base = f"/api/v1/images/{delivered(lab, path)}/tiles/0"
            for clients in CLIENTS:
                rows += compared(f"{name} TIFF", (port, token, base), interpreter, path, clients)
        rows.append(_first(lab, place, port, token, size))
    return rows


def compared(name: str, ours: tuple[int, str, str], interpreter: Path, path: Path, clients: int) -> list[Row]:
    """Let all three answer shares of the file's tiles in turns; return the best turn of each, compared."""
    port, token, base = ours
    headers, window = {"Authorization": f"Bearer {token}"}, f"channels=0:ffffff:{LOW}:{HIGH}.{clients}"
    load(port, clients, headers, [f"{base}/0_0.jpg?{window}&q={q}" for q in range(40, 40 + clients)])
    found: dict[str, list[float]] = {"ours": [], "same": [], "bare": []}
    with rival(interpreter, path, str(LOW), str(HIGH)) as same, rival(interpreter, path, "-", "-") as bare:
        for other in (same, bare):
            load(other, clients, {}, ["/tile/0/0_0.jpg"] * clients)
        for share in shares(path):
            mine = [f"{base}/{x}_{y}.jpg?{window}" for x, y in share]
            theirs = [f"/tile/0/{x}_{y}.jpg" for x, y in share]
            # The first answer of ours lets the session through again; it counts.
            found["ours"].append(load(port, clients, headers, mine))
            found["same"].append(load(same, clients, {}, theirs))
            found["bare"].append(load(bare, clients, {}, theirs))
    title = f"tiles of {name} over HTTP, {clients} client{'s' if clients > 1 else ''}"
    best = {key: max(values) for key, values in found.items()}
    return [
        ratio(title, best["ours"], "/s", "large_image", best["same"], least=1),
        ratio(f"{title}, its own 8 bits", best["ours"], "/s", "large_image", best["bare"]),
    ]


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


def shares(path: Path) -> list[list[tuple[int, int]]]:
    """Return columns and lines of all tiles but the first, in a fixed disorder, in ``TURNS`` shares."""
    with tifffile.TiffFile(path) as file:
        across = -(-file.pages.first.imagewidth // TILE)
        down = -(-file.pages.first.imagelength // TILE)
    found = [(x, y) for y in range(down) for x in range(across)][1:]
    np.random.default_rng(1).shuffle(found)
    return [[(int(x), int(y)) for x, y in found[turn::TURNS]] for turn in range(TURNS)]


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


@contextmanager
def rival(interpreter: Path, path: Path, low: str, high: str) -> Iterator[int]:
    """Start the peer on a file; lend its port."""
    environment = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1"}
    command = [interpreter, SCRIPT, str(path), low, high]
    with subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE) as process:
        try:
            port = int((process.stdout.readline() if process.stdout else "") or 0)
            if not port:
                raise NotMeasured("the peer did not start")
            yield port
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
