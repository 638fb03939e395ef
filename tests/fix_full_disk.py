"""A home of which one part lies on a small disk of its own (tmpfs), which is filled and freed again.

Run as a program inside a mount namespace of its own: ``fix_full_disk.py PART HOME STUDY``. PART is
``database``, ``vault`` or ``signer``. What it asserts is what the test of the same name claims.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from coverslip.bootstrap import wiring
from coverslip.store.signer import read_journal
from fix_kills import Client, Siege, new_file
from fix_story import secret_of

MIB = 1 << 20
SIZES = {"database": 420 * MIB, "vault": 320 * MIB, "signer": MIB // 2}


def namespaced(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this program where it may mount: as root, or as an ordinary account in a user namespace."""
    unshare = shutil.which("unshare")
    assert unshare, "these tests need unshare of util-linux: apt-get install util-linux"
    who = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    return subprocess.run(
        [unshare, *who, "--mount", "--", sys.executable, __file__, *arguments],
        capture_output=True, text=True, timeout=240, env=os.environ | {"PYTHONPATH": paths}, check=False,
    )  # fmt: skip


class SmallDisk:
    """A tmpfs over a folder, with what was in it, and a file that takes its room."""

    def __init__(self, folder: Path, size: int) -> None:
        kept = folder.with_name(f"{folder.name}.kept")
        subprocess.run(["cp", "-a", str(folder), str(kept)], check=True)
        mode, owner = folder.stat().st_mode & 0o777, folder.stat()
        options = f"size={size},mode={mode:o},uid={owner.st_uid},gid={owner.st_gid}".encode()
        libc = ctypes.CDLL(None, use_errno=True)
        done = libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options)
        assert done == 0, f"no tmpfs could be mounted: {os.strerror(ctypes.get_errno())}"
        for child in kept.iterdir():
            subprocess.run(["cp", "-a", str(child), str(folder)], check=True)
        self._ballast = folder / "ballast"

    def free(self) -> int:
        found = os.statvfs(self._ballast.parent)
        return found.f_bavail * found.f_frsize

    def leave(self, size: int) -> None:
        """Fill up until so many bytes are free."""
        with open(self._ballast, "ab") as file:
            while (gap := self.free() - size) > 0:
                try:
                    file.write(b"\0" * min(gap, MIB))
                    file.flush()
                except OSError:
                    return

    def empty(self) -> None:
        self._ballast.unlink()


class Scene:
    """A served home with one small disk."""

    def __init__(self, part: str, root: Path, study: str) -> None:
        folder = {"database": root / "postgres", "vault": root / "vault", "signer": root / "signer"}[part]
        self.disk = SmallDisk(folder, SIZES[part])
        self.siege = Siege(root, 0, lambda text: print(text, flush=True))
        self.siege.ready()
        self.aurel = Client(self.siege, "aurel", secret_of("aurel"))
        self.alan = Client(self.siege, "alan", secret_of("alan"))
        self.study, self.made = study, 0
        self.must(self.write)
        self.must(self.bring)

    def write(self) -> Any:
        self.made += 1
        fields = {"title": f"Full {self.made}", "criticality": "gxp_critical"}
        return self.aurel.once("POST", "/records", json={"type": "document_sop", "fields": fields})

    def bring(self) -> Any:
        data, headers = new_file()
        return self.alan.once("PUT", f"/sessions/{self.study}/files", content=data, headers=headers)

    def read(self) -> Any:
        return self.aurel.once("GET", f"/records/{self.study}")

    def must(self, do: Callable[[], Any], seconds: float = 60) -> None:
        """Do until it succeeds."""
        end = time.monotonic() + seconds
        while (answer := do()).status_code not in (200, 201):
            assert time.monotonic() < end, f"{answer.status_code} {answer.text}\n{self.siege.log()}"
            time.sleep(0.3)

    def refused(self, do: Callable[[], Any]) -> None:
        time.sleep(1.1)  # room is looked at once a second
        answer = do()
        assert answer.status_code == 507 and answer.json()["code"] == "STORAGE", answer.text
        assert answer.json()["remedy"], answer.text

    def signed(self) -> int:
        return read_journal(self.siege.home.signer / "journal")[-1].size

    def size(self) -> int:
        with psycopg.connect(wiring.conninfo(self.siege.home, "cs_verifier")) as conn:
            row = conn.execute("select size from ledger.tree").fetchone()
        assert row is not None
        return int(row[0])


def database(scene: Scene) -> None:
    """Below the reserve writing is refused and reading goes on, also when nothing at all is free.

    A database that dies then cannot start; its supervisor tries until there is room.
    """
    for left in (100 * MIB, 0):
        scene.disk.leave(left)
        scene.refused(scene.write)
        scene.refused(scene.bring)
        scene.must(scene.read, 1)
        if left == 0:
            scene.siege.kill("postmaster")
            time.sleep(4)
            scene.siege.insist_served()
        scene.disk.empty()
        time.sleep(1.1)
        scene.must(scene.write)
        scene.must(scene.bring)
    assert scene.siege.served == 1, "it came back by itself"


def vault(scene: Scene) -> None:
    """No file is taken, records are written and read; with room again files are taken."""
    for left in (150 * MIB, 0):
        scene.disk.leave(left)
        scene.refused(scene.bring)
        scene.must(scene.write, 1)
        scene.must(scene.read, 1)
        scene.disk.empty()
        scene.must(scene.bring)


def signer(scene: Scene) -> None:
    """Entries are written and integrated but not signed; with room again they are, in one history."""
    scene.disk.leave(0)
    end = time.monotonic() + 90
    unsigned_since = time.monotonic()
    while time.monotonic() - unsigned_since < 3:  # until the journal's last page is full too
        assert time.monotonic() < end, "it signs for ever on a full disk"
        scene.must(scene.write, 1)
        time.sleep(0.3)
        if scene.signed() == scene.size():
            unsigned_since = time.monotonic()
    size = scene.size()
    scene.must(scene.read, 1)
    scene.disk.empty()
    end = time.monotonic() + 30
    while scene.signed() < size:
        assert time.monotonic() < end, scene.siege.log()
        time.sleep(0.1)


def main() -> None:
    """Play one part."""
    part, root, study = sys.argv[1:]
    scene = Scene(part, Path(root), study)
    try:
        {"database": database, "vault": vault, "signer": signer}[part](scene)
        scene.siege.check()
    finally:
        scene.siege.end()


if __name__ == "__main__":
    main()
