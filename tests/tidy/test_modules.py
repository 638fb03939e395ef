"""What every module keeps: short, explained, and without the constructions that hide things."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

LONGEST = 600
"""Lines. A module that comes near it is really two."""

HIDING_IMPORTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "imp"}
HIDING_CALLS = {"eval", "exec", "system", "popen"}
SKIPS = re.compile(
    r"\bpytest\.(?:skip|importorskip|xfail)\b|\bmark\.(?:skip|skipif|xfail)\b|\bunittest\.skip"
)


def is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or getattr(kind, "id", "") in {"Exception", "BaseException"} for kind in kinds)


def cleans_up_only(handler: ast.ExceptHandler) -> bool:
    """Say whether the handler ends by raising again what it caught, so that nothing is hidden."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def hidden_things(module: Any) -> list[str]:
    lines = module.text.splitlines()
    found = []
    for node in ast.walk(module.tree):
        where = f"{module.path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = getattr(node.func.value, "id", "") if isinstance(node.func, ast.Attribute) else ""
            if name in HIDING_CALLS and owner in {"", "os", "builtins"}:
                found.append(f"{where} {name}()")
            found += [
                f"{where} shell=True"
                for k in node.keywords
                if k.arg == "shell" and not (isinstance(k.value, ast.Constant) and k.value.value is False)
            ]
        elif isinstance(node, ast.ExceptHandler) and is_broad(node) and not cleans_up_only(node):
            around = lines[max(0, node.lineno - 2) : node.lineno + 1]
            if not any("#" in line for line in around):
                found.append(f"{where} broad except without a reason")
    found += [
        f"{module.path}:{line} imports {name}"
        for line, name in module.imports()
        if name.split(".")[0] in HIDING_IMPORTS
    ]
    return found


def test_no_module_hides_things(modules: list[Any]) -> None:
    assert [hit for module in modules for hit in hidden_things(module)] == []


def test_no_module_is_really_two(modules: list[Any]) -> None:
    lengths = {module.path: len(module.text.splitlines()) for module in modules}
    assert {path: length for path, length in lengths.items() if length >= LONGEST} == {}


def test_every_module_says_what_it_keeps(modules: list[Any]) -> None:
    assert [m.path for m in modules if m.text.strip() and not ast.get_docstring(m.tree)] == []


def test_no_test_can_be_skipped(texts: dict[str, str]) -> None:
    own = {"tests/tidy/test_modules.py", "tests/tidy/test_nothing_is_skipped.py"}
    tests = {p: t for p, t in texts.items() if p.startswith("tests/") and p.endswith(".py") and p not in own}
    assert tests
    assert [path for path, text in tests.items() if SKIPS.search(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "import os\nos.system('ls')",
        "try:\n    pass\nexcept:\n    pass",
        "try:\n    pass\nexcept Exception:\n    pass",
        "try:\n    pass\nexcept (ValueError, Exception):\n    pass",
    ],
)
def test_a_hidden_thing_would_be_seen(source: Any, text: str) -> None:
    assert hidden_things(source.of("kernel/x.py", text))


def test_cleaning_up_before_raising_again_is_let_through(source: Any) -> None:
    text = "try:\n    pass\nexcept BaseException:\n    spool.close()\n    raise"
    assert hidden_things(source.of("api/x.py", text)) == []


def test_a_broad_except_with_its_reason_is_let_through(source: Any) -> None:
    text = "try:\n    pass\nexcept Exception:  # the worker must go on: the fault is recorded\n    pass"
    assert hidden_things(source.of("worker/x.py", text)) == []
