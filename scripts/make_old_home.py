"""Make the home of an earlier release that ``tests/migration`` upgrades.

    git clone . /tmp/old && git -C /tmp/old checkout <commit>
    .venv/bin/python scripts/make_old_home.py /tmp/old tests/migration/data/home-<commit>.tar.xz

The story of ``tests/fix_story.py`` is played by the earlier release's own code, over three small drawn
images, in a folder of its own. Then everything that makes the installation is packed: database rows in the
text form of COPY (the schema comes from the published migrations), secrets, keys, journal,
anchors, vault, and the bundles that release wrote. It is a throw-away evaluation installation: its secrets
open nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import tifffile
from psycopg import sql

from coverslip.store import copying
from coverslip.store.backup import sequences, tables
from coverslip.store.server import Cluster

PLAY = """
import sys
from pathlib import Path
import coverslip, fix_story
assert coverslip.__file__.startswith(sys.argv[1]), coverslip.__file__
fix_story._IMAGES = Path(sys.argv[2])
fix_story._play(Path(sys.argv[3]))
"""
SIDE = 160
LEFT_BEHIND = ("postgres", "run", "logs")


def draw(folder: Path) -> None:
    """Draw three images of round nuclei, 16 bit, each of another seed."""
    for seed in range(3):
        random = np.random.default_rng(seed)
        y, x = np.mgrid[0:SIDE, 0:SIDE]
        plane = np.full((SIDE, SIDE), 300.0)
        for cy in range(20, SIDE, 40):
            for cx in range(20, SIDE, 40):
                dy, dx = random.integers(-5, 6, 2)
                plane += 4000 * np.exp(-((y - cy - dy) ** 2 + (x - cx - dx) ** 2) / (2 * 5.0**2))
        plane = np.rint(plane / 16) * 16  # few grey values, so that the packed file stays small
        tifffile.imwrite(folder / f"AS_{seed}.tif", plane.astype(np.uint16), compression="zlib")


def save(conn: psycopg.Connection[Any], folder: Path) -> None:
    """Write all rows as one file per table, and ``contents.json`` naming them, migrations and sequences."""
    folder.mkdir()
    copying.settle(conn)
    listed = []
    for label, columns in tables(conn).items():
        schema, name = label.split(".")
        asked = sql.SQL("copy (select {} from {}) to stdout").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(schema, name)
        )
        with conn.cursor().copy(asked) as out:
            data = b"".join(map(bytes, out))
        (folder / f"{label}.copy").write_bytes(data)
        listed.append({"schema": schema, "name": name, "columns": list(columns), "file": f"{label}.copy",
                       "sha256": hashlib.sha256(data).hexdigest()})  # fmt: skip
    applied = conn.execute(
        "select number, sha256, applied_at::text, applied_by from ops.migration order by 1"
    )
    contents = {
        "migrations": [list(row) for row in applied.fetchall()],
        "tables": listed,
        "sequences": [[*name.split("."), last] for name, last in sequences(conn).items()],
    }
    (folder / "contents.json").write_text(json.dumps(contents, indent=1) + "\n", "utf-8")


def main(old: Path, target: Path) -> None:
    """Play the story with the code in ``old`` and pack the home into ``target``."""
    root = Path(tempfile.mkdtemp(prefix="old-"))
    root.chmod(0o711)
    images, played = root / "images", root / "played"
    images.mkdir()
    played.mkdir(mode=0o711)
    draw(images)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{old / 'src'}:{old / 'tests'}",
        "COVERSLIP_STORY_ROOT": str(played),
    }
    subprocess.run(
        [sys.executable, "-c", PLAY, str(old), str(images), str(played)], check=True, env=environment
    )
    home = played / "home"
    cluster = Cluster(home, "evaluation")
    with cluster.running(), psycopg.connect(**cluster.dsn("cs_superuser"), autocommit=True) as conn:
        save(conn, home / "database")
    for name in LEFT_BEHIND:
        shutil.rmtree(home / name)
    shutil.copytree(played / "bundles", home / "bundles")
    shutil.copy(played / "numbers.json", home / "numbers.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:xz", preset=9) as archive:
        archive.add(home, "home", filter=_plain)
    shutil.rmtree(root)
    print(f"{target}: {target.stat().st_size} bytes")


def _plain(item: tarfile.TarInfo) -> tarfile.TarInfo:
    item.uid = item.gid = 0
    item.uname = item.gname = ""
    return item


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
