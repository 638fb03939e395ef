"""Counting finds what was drawn, whatever the seed; and says the same however often and wide it runs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, note, settings, strategies as st

from coverslip.analysis.algorithms.nucleus_count import Limits, Parameters, count_nuclei
from fix_analysis import Plane, drawn, job


def labels_of(plane: Plane) -> bytes:
    return count_nuclei(plane, Parameters(), Limits()).labels.tobytes()


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 1), wanted=st.integers(8, 40), radius=st.sampled_from([7.0, 10.0, 14.0]))
def test_what_was_drawn_is_counted(seed: int, wanted: int, radius: float) -> None:
    note(f"seed {seed}, {wanted} nuclei of radius {radius}")
    field = count_nuclei(drawn(seed, wanted, radius, side=512), Parameters(), Limits())
    assert field.usable, [g for g in field.gates if not g.passed]
    assert field.count == wanted


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32 - 1), gain=st.integers(1, 5), offset=st.integers(0, 20_000))
def test_gain_and_offset_of_the_camera_do_not_change_the_count(seed: int, gain: int, offset: int) -> None:
    note(f"seed {seed}")
    plane = drawn(seed, 12, side=256)
    # Stretched first: a gain that makes steps finer leaves the same picture.
    other = np.asarray(plane.astype(np.int64) * gain + offset).clip(0, 65_535).astype(np.uint16)
    assert count_nuclei(other, Parameters(), Limits()).count == 12


@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**32 - 1), level=st.integers(1, 4000), kind=st.sampled_from(["poisson", "normal"])
)
def test_a_field_of_noise_alone_is_always_flagged(seed: int, level: int, kind: str) -> None:
    note(f"seed {seed}")
    rng = np.random.default_rng(seed)
    drawn_noise = (
        rng.poisson(level, (256, 256)) if kind == "poisson" else rng.normal(4 * level, level / 2, (256, 256))
    )
    field = count_nuclei(drawn_noise.clip(0, 65_535).astype(np.uint16), Parameters(), Limits())
    assert not field.usable
    assert field.count == 0, "a flagged field has no number to be taken for one"


@pytest.mark.parametrize("seed", [11, 12])
def test_labels_are_the_same_bit_for_bit_whatever_the_threads(tmp_path: Path, seed: int) -> None:
    plane = drawn(seed, 30, side=512)
    np.save(tmp_path / "plane.npy", plane)
    program = (
        "import sys, hashlib, numpy as np\n"
        "from coverslip.analysis.algorithms.nucleus_count import *\n"
        "found = count_nuclei(np.load(sys.argv[1]), Parameters(), Limits()).labels\n"
        "print(hashlib.sha256(found.tobytes()).hexdigest())\n"
    )
    seen = {hashlib.sha256(labels_of(plane)).hexdigest(), hashlib.sha256(labels_of(plane)).hexdigest()}
    source = str(Path(__file__).parents[3] / "src")
    for threads in ("1", "2"):
        env = os.environ | {
            "PYTHONPATH": source, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
        }  # fmt: skip
        command = [sys.executable, "-c", program, str(tmp_path / "plane.npy")]
        seen.add(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip())
    assert len(seen) == 1


def test_two_runs_give_the_same_bytes() -> None:
    from coverslip.analysis.runner import digest, run

    names = ("results.csv", "results.parquet", "labels-IMG-1.tif")
    with run(job(drawn(21, 15))) as one, run(job(drawn(21, 15))) as other:
        assert one.completed, one.log
        assert [digest(one.folder / n) for n in names] == [digest(other.folder / n) for n in names]
        assert one.rows_root == other.rows_root


def test_another_parameter_gives_other_rows() -> None:
    from coverslip.analysis.runner import run

    plane = drawn(22, 15)
    with run(job(plane)) as one, run(job(plane, otsu_fraction="0.9", envelope_fraction="0.8")) as other:
        assert one.rows_root != other.rows_root
