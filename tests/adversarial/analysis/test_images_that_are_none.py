"""Pictures that are no fluorescence field are flagged; arrays that are no picture break nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from coverslip.analysis import registry
from coverslip.analysis.algorithms.nucleus_count import Field, Limits, Parameters, count_nuclei
from coverslip.analysis.runner import run
from coverslip.errors import Invalid
from fix_analysis import Plane, drawn, job

SIDE = 384
Y, X = np.mgrid[:SIDE, :SIDE].astype(float)


def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


def eight(values: Plane) -> Plane:
    return np.asarray(values.clip(0, 255).astype(np.uint8))


def sixteen(values: Plane) -> Plane:
    return np.asarray(values.clip(0, 65_535).astype(np.uint16))


NOT_FIELDS: dict[str, Callable[[], Plane]] = {
    "gaussian noise": lambda: eight(rng().normal(100, 10, (SIDE, SIDE))),
    "few photons": lambda: eight(rng().poisson(3, (SIDE, SIDE))),
    "many photons": lambda: sixteen(rng().poisson(4000, (SIDE, SIDE))),
    "every value alike": lambda: eight(rng().uniform(0, 255, (SIDE, SIDE))),
    "hot pixels": lambda: sixteen(
        np.where(rng().random((SIDE, SIDE)) < 0.002, 60_000, rng().poisson(100, (SIDE, SIDE)))
    ),
    "a slope": lambda: sixteen(X * 150),
    "a slope with noise": lambda: sixteen(rng().poisson(X * 20 + 100)),
    "a vignette": lambda: sixteen(
        rng().poisson(20_000 * np.exp(-((X - 192) ** 2 + (Y - 192) ** 2) / 2 / 150**2) + 100)
    ),
    "nuclei on a steep slope": lambda: sixteen(drawn(1, 20) + X * 120),
    "nuclei dark on bright": lambda: sixteen(60_000 - drawn(2, 20).astype(float)),
    "a white field": lambda: np.full((SIDE, SIDE), 255, np.uint8),
    "a black field": lambda: np.zeros((SIDE, SIDE), np.uint16),
    "one grey": lambda: np.full((SIDE, SIDE), 77, np.uint8),
    "nuclei burnt out": lambda: eight(drawn(3, 40).astype(float) / 4),
    "nuclei buried in noise": lambda: sixteen(drawn(4, 20, noise=120.0) + 2000.0),
    "a black and white drawing": lambda: eight((drawn(5, 20) > 2000) * 2.0),
}


@pytest.mark.parametrize("name", sorted(NOT_FIELDS))
def test_a_picture_that_is_no_field_is_flagged(name: str) -> None:
    field = count_nuclei(NOT_FIELDS[name](), Parameters(), Limits())
    assert not field.usable, f"{name}: counted {field.count}"
    assert all(gate.sentence.endswith(".") for gate in field.gates)


@pytest.mark.parametrize(
    "shape",
    [(64, 64), (64, 4000), (65, 64, 1), (64, 64, 3), (64, 64, 4)],
    ids=lambda s: "x".join(map(str, s)),
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_any_shape_and_depth_ends_in_labels_or_a_flag(shape: tuple[int, ...], kind: type) -> None:
    plane = rng().integers(0, np.iinfo(kind).max, shape, dtype=kind, endpoint=True)
    field = count_nuclei(plane, Parameters(), Limits())
    assert isinstance(field, Field)
    assert field.labels.shape == shape[:2]
    assert not field.usable


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (0, 0), (0, 500), (63, 64)])
def test_a_sliver_is_flagged_whatever_is_in_it(shape: tuple[int, int]) -> None:
    with run(job(np.zeros(shape, np.uint16), drawn(6, 5))) as outcome:
        sliver, field = outcome.result.get("fields", ({}, {}))
        assert outcome.completed, outcome.log
        assert not sliver["usable"]
        assert (field["usable"], field["count"]) == (True, 5), "one bad image does not spoil the next"


def test_the_corners_of_every_range_end_in_labels_or_a_flag() -> None:
    plane = drawn(7, 6, side=128)
    for p in registry.NUCLEUS_COUNT.parameters:
        for value in (p.low, p.high):
            if p.name != "channel":
                number = int(value) if p.kind == "int" else float(value)
                found = count_nuclei(plane, Parameters(**{p.name: number}), Limits())
                assert found.labels.shape == plane.shape, (p.name, value)


@pytest.mark.parametrize(
    "values",
    [
        {"smoothing_px": "1e9"}, {"smoothing_px": "-0"}, {"smoothing_px": "0x10"}, {"min_area_px": "1.0e-3"},
        {"noise_factor": "٣.٥e9"}, {"noise_factor": "4\n5"}, {"noise_factor": "1" * 5000},
        {"seed_height": "None"}, {"Seed_height": "0.02"}, {"": "1"}, {"limits": "0"},
    ],
    ids=lambda v: repr(v)[:40],
)  # fmt: skip
def test_a_hostile_parameter_is_refused_before_anything_runs(values: dict[str, str]) -> None:
    with pytest.raises(Invalid) as found:
        registry.NUCLEUS_COUNT.check(values)
    assert found.value.code in ("VAL_RANGE", "VAL_FORM")
    assert len(found.value.message) < 6000


def test_a_parameter_smuggled_past_the_door_is_refused_in_the_process_itself() -> None:
    honest = job(drawn(8, 4))
    honest.parameters["smoothing_px"] = "1e9"
    with run(honest) as outcome:
        assert outcome.failure == "status"
        assert "VAL_RANGE" in outcome.log
        assert not (outcome.folder / "result.json").exists()
