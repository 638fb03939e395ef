"""Sixty kills by a printed seed (a thousand in ``make soak``): what was acknowledged is there, and proves.

``COVERSLIP_KILLS`` and ``COVERSLIP_KILL_SEED`` repeat or lengthen it; the seed stands in the output.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from fix_kills import ROUND, Client, Siege
from fix_story import secret_of


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_whatever_is_killed(story: Any, story_home: Path) -> None:
    kills = int(os.environ.get("COVERSLIP_KILLS", "60"))
    seed = int(os.environ.get("COVERSLIP_KILL_SEED") or random.SystemRandom().randrange(1 << 32))
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:7.1f} s] {text}", flush=True)

    say(f"seed {seed}, {kills} kills (repeat with COVERSLIP_KILL_SEED={seed})")
    siege = Siege(story_home, seed, say)
    siege.employ(siege.author(Client(siege, "aurel", secret_of("aurel"))))
    siege.employ(siege.importer(Client(siege, "alan", secret_of("alan")), story.numbers["study"]))
    try:
        while siege.kills < kills:
            siege.round(min(ROUND, kills - siege.kills))
    finally:
        siege.end()
    assert siege.promises.leaves and siege.promises.images, "the clients got something done"
