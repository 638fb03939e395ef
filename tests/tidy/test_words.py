"""The table of words in ARCHITECTURE is complete and true, and no word is there that no type uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from coverslip.kernel import kinds, words
from coverslip.records import all_types

_ATTRIBUTES = {"Making": "create", "Editing": "edit", "Column": "columns"}
"""Words that are reached by the attribute that holds them."""
ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "coverslip"


def _words() -> set[str]:
    found = {**vars(kinds), **vars(words)}
    return {
        name
        for name, one in found.items()
        if isinstance(one, type) and issubclass(one, kinds.Word) and one is not kinds.Word
    }


def _table() -> dict[str, list[str]]:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    part = text.split("## Where each word lives")[1].split("\n## ")[0]
    found: dict[str, list[str]] = {}
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 3 and cells[0].startswith(("`", "| `")):
            for word in re.findall(r"`(\w+)`", cells[0]):
                found[word] = re.findall(r"`([\w/]+\.py)`", cells[2])
    return found


def _used(value: Any) -> Iterator[str]:
    if isinstance(value, kinds.Word):
        yield type(value).__name__
        for name in value.__struct_fields__:
            yield from _used(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _used(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _used(item)


def test_every_word_stands_in_the_table_and_nothing_else() -> None:
    assert set(_table()) == _words()


@pytest.mark.parametrize("word", sorted(_words()))
def test_one_of_the_places_named_gives_the_word_its_meaning(word: str) -> None:
    places = [(SOURCE / place).read_text("utf-8") for place in _table()[word]]
    name = _ATTRIBUTES.get(word, word.lower())
    written = rf'\bw\.{word}\b|"{word}"|\b_{name}\(|\b(type|declared|kind)\.{name}\b'
    assert any(re.search(written, text) for text in places), f"{word}: {_table()[word]}"


def test_every_word_is_used_by_some_shipped_type() -> None:
    used = {name for declared in all_types() for name in _used(declared)}
    assert _words() - used == set()


def test_a_word_is_data_and_nothing_that_acts() -> None:
    for name in _words():
        one = {**vars(kinds), **vars(words)}[name]
        assert issubclass(one, msgspec.Struct) and one.__struct_config__.frozen
        own = {n for n, v in vars(one).items() if callable(v) and not n.startswith("_")}
        assert own == set(), f"{name} has methods: {own}"
