"""Resolve ``requirements/*.lock`` from ``pyproject.toml`` for every supported Python.

A lock file holds names, versions, markers and hashes and nothing else: no registry address, no path of
the machine it was made on. Packages come from wherever the machine's own pip configuration says.

Needs ``uv`` beside this interpreter or on the path; it is a tool of the maintainer, not of the product.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "server.lock": ("server", "imaging", "embedded"),
    "dev.lock": ("server", "imaging", "embedded", "science", "dev"),
}
HEADER = "# {name}: extras {extras}. Names, versions, markers and hashes only. Written by `make lock`.\n"
LINE = re.compile(
    r"^(?:[a-z0-9][a-z0-9._-]*(?:\[[a-z0-9,_-]+\])?==[^\s;]+(?: ; [^\\@/:]+)?(?: \\)?"
    r"|    --hash=sha256:[0-9a-f]{64}(?: \\)?)$"
)


def find_uv() -> str:
    """Return the resolver's path; leave with a sentence where there is none."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        sys.exit("uv is not installed: run '.venv/bin/python -m pip install uv', then 'make lock' again.")
    return found


def resolve(uv: str, extras: tuple[str, ...]) -> str:
    """Return the pinned, hashed requirements of ``extras``; versions already locked are taken anew."""
    chosen = [part for extra in extras for part in ("--extra", extra)]
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--fork-strategy", "fewest"]  # one version of a package on every Python: one set to validate
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += [*chosen, "pyproject.toml"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def main() -> int:
    """Write each lock file; refuse to write a line that says more than it may."""
    uv = find_uv()
    for name, extras in LOCKS.items():
        text = resolve(uv, extras)
        for line in text.splitlines():
            if not LINE.match(line):
                sys.exit(f"{name}: unexpected line {line!r}; a lock holds names, versions and hashes only")
        target = ROOT / "requirements" / name
        target.write_text(HEADER.format(name=name, extras=", ".join(extras)) + text, encoding="utf-8")
        print(f"{target.relative_to(ROOT)}: {len(re.findall(r'^[a-z0-9].*==', text, re.M))} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
