"""A disk that is full: refused by a code of its own, nothing lost, reading goes on, and it comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fix_full_disk import namespaced


@pytest.mark.slow
@pytest.mark.parametrize("part", ["database", "vault", "signer"])
def test_a_full_disk_is_named_and_everything_goes_on_when_there_is_room(
    story: Any, story_home: Path, part: str
) -> None:
    done = namespaced(part, str(story_home), story.numbers["study"])
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    assert "all hold" in done.stdout
