"""Write src/coverslip/store/schema.json: what a new database of this release looks like.

Run after adding a migration: ``python scripts/schema.py``. It makes a scratch installation's database,
applies every migration and writes down each object. ``--check`` writes nothing and exits 1 when the file is
not that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from coverslip.store import fingerprint
from coverslip.store.migrate import migrate
from coverslip.store.server import Cluster

TARGET = Path(__file__).resolve().parents[1] / "src/coverslip/store/schema.json"


def fresh() -> str:
    """Return the file's text for a database made now."""
    with tempfile.TemporaryDirectory(prefix="cs-schema-") as folder:
        Path(folder).chmod(0o711)
        cluster = Cluster(Path(folder) / "home", "evaluation")
        cluster.create()
        with cluster.running():
            cluster.create_roles()
            migrate(make_conninfo(**cluster.dsn("cs_superuser")))
            with psycopg.connect(**cluster.dsn("cs_verifier"), autocommit=True) as conn:
                return fingerprint.to_json(fingerprint.read(conn))


def main() -> int:
    """Write or check the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    text = fresh()
    if not parser.parse_args().check:
        TARGET.write_text(text, "utf-8")
        return 0
    same = TARGET.read_text("utf-8") == text
    print("schema.json is current" if same else "schema.json is not current: run python scripts/schema.py")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
