"""Write ``schema.json`` and ``privileges.txt`` of ``coverslip.store``: what a new database has.

Run after adding a migration: ``python scripts/schema.py``. It makes a scratch installation's database,
applies every migration and writes down each object. ``--check`` writes nothing and exits 1 when a file is
not that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from coverslip.store import fingerprint, privileges
from coverslip.store.migrate import migrate
from coverslip.store.server import Cluster

FOLDER = Path(__file__).resolve().parents[1] / "src/coverslip/store"


def fresh() -> dict[Path, str]:
    """Return the files' texts for a database made now."""
    with tempfile.TemporaryDirectory(prefix="cs-schema-") as folder:
        Path(folder).chmod(0o711)
        cluster = Cluster(Path(folder) / "home", "evaluation")
        cluster.create()
        with cluster.running():
            cluster.create_roles()
            migrate(make_conninfo(**cluster.dsn("cs_superuser")))
            with psycopg.connect(**cluster.dsn("cs_verifier"), autocommit=True) as conn:
                return {
                    FOLDER / "schema.json": fingerprint.to_json(fingerprint.read(conn)),
                    FOLDER / "privileges.txt": privileges.text(privileges.matrix(conn)),
                }


def main() -> int:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    made = fresh()
    if not check:
        for path, text in made.items():
            path.write_text(text, "utf-8")
        return 0
    stale = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        print(f"{path.name} is not current: run python scripts/schema.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
