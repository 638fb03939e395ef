"""A served installation under siege: clients that work, and a killer that ends processes by a printed seed.

The supervisor is started again by the siege, as a service manager would; everything else comes back by
itself or the siege fails. Clients send again, with the same key, until they have an answer. After each
round every promise is looked for: receipts, whole histories, one root for each size, nothing twice.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import tifffile

from coverslip.bootstrap import checking, wiring
from coverslip.ledger import canonical, note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.settings import Home
from coverslip.store.anchors import read_file_anchor
from coverslip.store.server import process
from coverslip.store.signer import read_journal
from coverslip.store.tiles import TreeReader

SERVE = """
import sys
from pathlib import Path
from coverslip.bootstrap.serving import serve
serve(Path(sys.argv[1]))
"""
CHILDREN = ("sequencer", "signer", "web", "worker", "keeper")
TARGETS = (
    "sequencer",
    "sequencer",
    "signer",
    "signer",
    "web",
    "worker",
    "keeper",
    "backend",
    "backend",
    "postmaster",
)
"""What a kill may strike in a round; each round ends with ``supervisor`` or ``all``."""
ROUND = 10
PATIENCE_S = 120.0


@dataclass
class Promises:
    """What clients were answered: leaf hash of each entry, numbers by title, and files by image."""

    leaves: dict[str, str] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    retries: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Line(http.client.HTTPConnection):
    """A connection to the private socket, closed also when it never came to be."""

    def __init__(self, path: Path) -> None:
        super().__init__("coverslip", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer."""

    status_code: int
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def request(path: Path, method: str, target: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Ask once. Raises OSError or HTTPException when there is no whole answer."""
    line = Line(path)
    try:
        line.request(method, target, body, headers)
        found = line.getresponse()
        return Answer(found.status, found.read().decode("utf-8", "replace"))
    finally:
        line.close()


class Unwell(Exception):
    """The server answered that it cannot at present."""


class Client:
    """Somebody who works over the private socket and never takes silence for an answer."""

    def __init__(self, siege: Siege, username: str, password: str) -> None:
        self._siege, self._username, self._password = siege, username, password
        self._headers: dict[str, str] = {}

    def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Send until there is an answer that is no failure of the environment."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = self._once(method, path, more)
                if answer.status_code < 500:
                    return answer
                said = f"{answer.status_code} {answer.text[:300]}"
            except (http.client.HTTPException, OSError, Unwell) as error:
                said = f"{type(error).__name__}: {error}"
            self._siege.promises.retries += 1
            if self._siege.failed or time.monotonic() > end:
                raise AssertionError(f"no answer to {method} {path} in {PATIENCE_S:g} s: {said}")
            time.sleep(0.05)

    def once(self, method: str, path: str, **more: Any) -> Answer:
        """Send once and return whatever is answered."""
        return self._once(method, path, more)

    def _once(self, method: str, path: str, more: dict[str, Any]) -> Answer:
        if not self._headers and path != "/sessions":
            self._sign_in()
        headers = self._headers | more.get("headers", {})
        body = more.get("content", b"")
        if "json" in more:
            body, headers = json.dumps(more["json"]).encode(), headers | {"Content-Type": "application/json"}
        return request(self._siege.socket, method, f"/api/v1{path}", body, headers)

    def _sign_in(self) -> None:
        body = {"username": self._username, "password": self._password, "workstation": "ws", "zone": "UTC"}
        opened = self._once("POST", "/sessions", {"json": body})
        if opened.status_code >= 500:
            raise Unwell(f"{opened.status_code} {opened.text[:300]}")
        assert opened.status_code == 201, opened.text
        self._headers = {"Authorization": f"Bearer {opened.json()['token']}"}


def new_file() -> tuple[bytes, dict[str, str]]:
    """Return a small picture nobody has seen, and the headers of its import by hand."""
    out = io.BytesIO()
    seen = np.random.default_rng(int.from_bytes(os.urandom(4), "big"))
    tifffile.imwrite(out, seen.integers(0, 60_000, (16, 16), dtype=np.uint16))
    data = out.getvalue()
    told = {
        "name": "well.tif", "size": len(data), "sha256": hashlib.sha256(data).hexdigest(),
        "sequence": 1, "reason": "The network was down all morning.",
    }  # fmt: skip
    return data, {"Coverslip-Manifest": canonical.encode(told).hex()}


class Siege:
    """One home, its supervisor, its clients and its killer."""

    def __init__(self, root: Path, seed: int, say: Callable[[str], None] = print) -> None:
        self.home, self.random, self.say = Home(root), random.Random(seed), say
        self.socket = wiring.api_socket(self.home)
        self.promises = Promises()
        self.failed: list[str] = []
        self.kills = self.served = 0
        self._memory: dict[int, bytes] = {}
        self._working, self._over = threading.Event(), threading.Event()
        self._idle: list[threading.Event] = []
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []

    # --- the installation ----------------------------------------------------------------------

    def serve(self) -> None:
        """Start the supervisor if it does not run."""
        if self._supervisor is None or self._supervisor.poll() is not None:
            self.served += 1
            with open(self.home.logs / "siege.log", "ab") as log:
                self._supervisor = subprocess.Popen(
                    [sys.executable, "-I", "-c", SERVE, str(self.home.root)], stdout=log, stderr=log
                )

    def answers(self) -> bool:
        """Whether the interface says that it is well."""
        try:
            return request(self.socket, "GET", "/healthz", b"", {}).status_code == 200
        except (http.client.HTTPException, OSError):
            return False

    def ready(self) -> None:
        """Wait until it answers, the supervisor started again where it ended."""
        end = time.monotonic() + PATIENCE_S
        while not self.answers():
            self.serve()
            assert time.monotonic() < end, f"not back in {PATIENCE_S:g} s:\n{self.log()}"
            time.sleep(0.1)

    def insist_served(self) -> None:
        """Fail if the supervisor has ended."""
        assert self._supervisor is not None and self._supervisor.poll() is None, self.log()

    def log(self) -> str:
        """Return the last lines of every log."""
        logs = [*self.home.logs.glob("*.log"), *(self.home.root / "postgres" / "log").glob("*.log")]
        return "\n".join(
            f"--- {p.name}\n" + "\n".join(p.read_text("utf-8", "replace").splitlines()[-15:]) for p in logs
        )

    def end(self) -> None:
        """Stop clients and supervisor."""
        self._over.set()
        self._working.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        if self._supervisor is not None and self._supervisor.poll() is None:
            self._supervisor.terminate()
            self._supervisor.wait(60)

    # --- the clients ---------------------------------------------------------------------------

    def employ(self, work: Callable[[], None]) -> None:
        """Have something done again and again while work is on."""
        idle = threading.Event()
        idle.set()
        self._idle.append(idle)

        def go() -> None:
            while True:
                self._working.wait()
                if self._over.is_set():
                    return
                idle.clear()
                try:
                    work()
                except Exception as error:  # told by the round; the thread's own trace would be lost
                    self.failed.append(f"{type(error).__name__}: {error}")
                    return
                finally:
                    idle.set()

        thread = threading.Thread(target=go, daemon=True)
        thread.start()
        self._threads.append(thread)

    def author(self, client: Client) -> Callable[[], None]:
        """Return work: a new procedure, edited once, each with a key of its own."""
        made = iter(range(1_000_000))

        def work() -> None:
            title = f"Siege {client._username} {next(made)} {os.urandom(4).hex()}"
            body = {"type": "document_sop", "fields": {"title": title, "criticality": "gxp_critical"}}
            number = self._write(client, "/records", body, title)
            with self.promises.lock:
                self.promises.titles.append(title)
            edit = {"expected_version": 1, "fields": {"body": "1. Wait."}, "reason": "Filling in the draft."}
            self._write(client, f"/records/{number}/edit", edit, f"{title} edit")

        return work

    def _write(self, client: Client, path: str, body: dict[str, Any], key: str) -> str:
        headers = {"Idempotency-Key": hashlib.sha256(key.encode()).hexdigest()}
        answer = client.ask("POST", path, json=body, headers=headers)
        assert answer.status_code in (200, 201), f"{path}: {answer.status_code} {answer.text[:500]}"
        again = client.ask("POST", path, json=body, headers=headers) if self.random.random() < 0.2 else answer
        one, two = answer.json()["entries"], again.json()["entries"]
        assert one == two, f"sent again it is another answer: {one} {two}"
        with self.promises.lock:
            self.promises.leaves |= {entry["entry"]: entry["leaf_hash"] for entry in one}
        return str(one[0]["number"])

    def importer(self, client: Client, study: str) -> Callable[[], None]:
        """Return work: a file nobody has seen, imported by hand into a study."""

        def work() -> None:
            data, headers = new_file()
            answer = client.ask("PUT", f"/sessions/{study}/files", content=data, headers=headers)
            assert answer.status_code == 201, f"{answer.status_code} {answer.text[:500]}"
            said = answer.json()
            with self.promises.lock:
                self.promises.images[said["number"]] = said["sha256"]

        return work

    # --- the killer ----------------------------------------------------------------------------

    def round(self, kills: int = ROUND) -> None:
        """Kill so many times while clients work, then look for every promise."""
        self.ready()
        self._working.set()
        for number in range(kills - 1):
            time.sleep(self.random.uniform(0.02, 0.9))
            self.kill(self.random.choice(TARGETS) if number else "sequencer")
            if self._supervisor is not None and self._supervisor.poll() is not None:
                self.serve()
        time.sleep(self.random.uniform(0.02, 0.5))
        self.kill(self.random.choice(("supervisor", "all")))
        self.ready()
        self._working.clear()
        self.check()

    def kill(self, target: str) -> None:
        """Kill -9 what is named; what is not there just now counts as struck at its start."""
        self.kills += 1
        assert self._supervisor is not None
        known = self._children()
        live = process.find_live(self.home.root / "postgres" / "data")
        if target == "all":
            pids = [self._supervisor.pid, *known.values(), *live.others]
            pids += [live.postmaster] if live.postmaster is not None else []
        elif target == "supervisor":
            pids = [self._supervisor.pid]
        elif target == "postmaster":
            pids = [live.postmaster] if live.postmaster is not None else []
        elif target == "backend":
            pids = [self.random.choice(live.others)] if live.others else []
        else:
            pids = [known[target]] if target in known else []
        for pid in pids:
            process.send(pid, signal.SIGKILL)
        if target in ("all", "supervisor"):
            self._supervisor.wait()

    def _children(self) -> dict[str, int]:
        assert self._supervisor is not None
        found = {}
        path = Path(f"/proc/{self._supervisor.pid}/task/{self._supervisor.pid}/children")
        for pid in path.read_text().split() if path.exists() else ():
            try:
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            found |= {name: int(pid) for name in CHILDREN if name.encode() in arguments}
        return found

    # --- the promises --------------------------------------------------------------------------

    def check(self) -> None:
        """Look for every promise. Raises AssertionError naming the first that is broken."""
        end = time.monotonic() + PATIENCE_S
        while not all(idle.is_set() for idle in self._idle):
            assert time.monotonic() < end, "clients do not come to rest"
            time.sleep(0.05)
        assert not self.failed, self.failed
        with psycopg.connect(wiring.conninfo(self.home, "cs_superuser"), autocommit=True) as conn:
            self._settled(conn)
            self._receipts(conn)
            self._roots(conn)
        for name, look in (
            ("ledger", checking.ledger_verify), ("replay", checking.ledger_replay),
            ("vault", checking.vault_check),
        ):  # fmt: skip
            found = [one for one in look(self.home.root)[0] if one["what"] not in ("unnamed",)]
            assert not found, f"{name}: {[one['sentence'] for one in found]}"
        self.say(
            f"{self.kills} kills, {self.served} starts: {len(self.promises.leaves)} receipts,"
            f" {len(self.promises.images)} images, {self.promises.retries} sent again, all hold"
        )

    def _settled(self, conn: psycopg.Connection[Any]) -> None:
        end = time.monotonic() + PATIENCE_S
        query = (
            "select (select count(*) from ledger.entry), (select size from ledger.tree),"
            " (select coalesce(max(size), 0) from ledger.checkpoint)"
        )
        while True:
            row = conn.execute(query).fetchone()
            assert row is not None
            if row[0] == row[1] == row[2]:
                return
            assert time.monotonic() < end, f"entries, tree, checkpoint: {row}\n{self.log()}"
            time.sleep(0.1)

    def _receipts(self, conn: psycopg.Connection[Any]) -> None:
        hashes = [bytes.fromhex(value) for value in self.promises.leaves.values()]
        found = {
            str(entry): bytes(hashed).hex()
            for entry, hashed in conn.execute(
                "select convert_from(e.leaf, 'UTF8')::jsonb ->> 'entry', e.leaf_hash from ledger.entry e"
                " join ledger.leaf l on l.entry_id = e.id where e.leaf_hash = any(%s)", (hashes,),
            )
        }  # fmt: skip
        lost = {entry for entry, hashed in self.promises.leaves.items() if found.get(entry) != hashed}
        assert not lost, f"acknowledged and not there: {sorted(lost)}"
        twice = conn.execute(
            "select title, count(*) from projection.record where title = any(%s) group by 1"
            " having count(*) <> 1",
            (self.promises.titles,),
        ).fetchall()
        assert not twice, twice
        images = dict(
            conn.execute(
                "select number, content #>> '{fields,delivery,sha256}' from projection.record"
                " where type = 'image'"
            ).fetchall()
        )
        assert all(images.get(number) == sha256 for number, sha256 in self.promises.images.items())
        kept = [value for value in images.values() if value in self.promises.images.values()]
        assert len(kept) == len(set(kept)), "a delivery made two images"

    def _roots(self, conn: psycopg.Connection[Any]) -> None:
        roots: dict[int, set[bytes]] = {}
        journal = read_journal(self.home.signer / "journal")
        sizes = [one.size for one in journal]
        assert sizes == sorted(set(sizes)), "the journal holds a size twice"
        for one in journal:
            roots.setdefault(one.size, set()).add(one.root)
        for size, root in conn.execute("select size, root from ledger.checkpoint"):
            roots.setdefault(size, set()).add(bytes(root))
        for data in read_file_anchor(self.home.anchors):
            kept = Checkpoint.parse(note.parse(data).text)
            roots.setdefault(kept.size, set()).add(kept.root)
        two = [size for size, held in roots.items() if len(held) != 1]
        assert not two, f"two roots for {two}"
        reader = TreeReader(conn)
        for size, root in self._memory.items():
            assert reader.root(size) == root, f"the tree of {size} entries was another one"
        self._memory[sizes[-1]] = journal[-1].root
