"""Code shown to a reader runs: examples in ``docs/how-to`` and commands named anywhere in the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from coverslip.cli import app
from coverslip.errors import EnvironmentFault
from coverslip.kernel.definition import Catalogue
from coverslip.records import all_types

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if page.parent.name != "decisions"  # tells of its day
)


def _declared() -> Any:
    text = (ROOT / "docs" / "how-to" / "add-a-record-type.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.S)
    names: dict[str, Any] = {}
    exec(compile(example, "add-a-record-type.md", "exec"), names)  # noqa: S102 - the page is ours
    return names["TYPE"]


def test_the_declaration_of_the_guide_fits_into_the_catalogue() -> None:
    catalogue = Catalogue([*all_types(), _declared()])
    assert "lamp_replacement" in {definition.name for definition in catalogue}


def test_the_guide_is_right_that_a_contradicting_declaration_is_refused() -> None:
    from msgspec.structs import replace

    wrong = replace(_declared(), title_field="not_there")
    with pytest.raises(EnvironmentFault, match="not_there"):
        Catalogue([*all_types(), wrong])


def _known(words: list[str]) -> bool:
    group: Any = get_command(app)
    for word in words:
        if not hasattr(group, "commands"):
            return True  # what follows a command are its arguments
        if word not in group.commands:
            return False
        group = group.commands[word]
    return True


@pytest.mark.parametrize("page", PAGES)
def test_every_command_named_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"(?:^|`|/)coverslip((?: [a-z]+)+)", text, re.M)
    assert [words for words in named if not _known(words.split())] == []


def test_a_command_that_does_not_exist_would_be_seen() -> None:
    assert not _known(["unbackup"]) and not _known(["ledger", "rewrite"]) and _known(["record", "show"])
