"""Random walks over random types agree with a plain model of their declarations, and the ledger replays.

The seeds are fixed, so that every run takes the same walks; ``COVERSLIP_WALK_SEED`` adds one of your own. A
failure prints its seed and its last steps. That the model notices what it is there for is shown by planting
one bug at a time in the kernel.
"""

from __future__ import annotations

import os

import pytest

from fix_walk import Walk
from fix_world import World

SEEDS = (*range(1, 7), *(int(s) for s in os.environ.get("COVERSLIP_WALK_SEED", "").split()))
STEPS = 50


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_walk_agrees_with_the_model_and_replays(world: World, seed: int) -> None:
    print(f"seed {seed}")
    walk = Walk(world, seed)
    walk.run(STEPS)
    assert walk.done > 0, "nothing was ever permitted on this walk; it shows little"
