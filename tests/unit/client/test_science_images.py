"""Images at a laboratory that runs: pixels are those of the shipped file, wherever they are read from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.analysis import registry
from coverslip.client import (
    ApiError,
    Coverslip,
    EvidenceError,
    Image,
    MisuseError,
    NotFoundError,
    OutsideError,
    examine,
)
from fix_science import Served

SHIPPED = sorted((Path(registry.__file__).parents[1] / "cli" / "demo" / "images").glob("AS_*.tif"))


@pytest.fixture
def cs(science: Served) -> Iterator[Coverslip]:
    with science.as_("alan") as found:
        yield found


@pytest.fixture
def image(cs: Coverslip, science: Served) -> Image:
    return cs.image(science.n["image1"])


@pytest.fixture(scope="module")
def whole() -> Any:
    return tifffile.imread(SHIPPED[0])


def test_the_pixels_are_those_of_the_delivered_file(image: Image, whole: Any) -> None:
    assert image.name == SHIPPED[0].name and image.state == "available"
    assert (image.axes, image.shape, image.dtype) == ("tczyx", (1, 1, 1, *whole.shape), whole.dtype)
    assert np.array_equal(np.asarray(image)[0, 0, 0], whole)


@pytest.mark.parametrize("seed", range(8))
def test_a_part_is_that_part_of_the_file(image: Image, whole: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = (sorted(map(int, rng.integers(0, size + 1, 2))) for size in whole.shape)
    step = int(rng.integers(1, 5))
    assert np.array_equal(
        image[0, 0, 0, y[0] : y[1] : step, x[0] : x[1]], whole[y[0] : y[1] : step, x[0] : x[1]]
    )


def test_zarr_at_a_laboratory_gives_the_same(image: Image, whole: Any) -> None:
    array = image.zarr(chunk_side=200)
    assert np.array_equal(np.asarray(array[0, 0, 0]), whole)
    assert array.attrs["root"] == image.record["fields"]["root"]


def test_an_image_without_pixel_size_says_why(image: Image) -> None:
    size = image.pixel_size
    assert size.calibrated or (size.x is None and len(size.why) > 10)


@pytest.mark.parametrize(
    "box", [(0, 0, 513, 1), (512, 0, 1, 1), (0, 511, 1, 2), (2**40, 0, 1, 1), (0, 0, 0, 1)]
)
def test_the_server_refuses_a_region_that_is_not_there(image: Image, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ApiError) as caught:
        image._pixels.region(0, 0, 0, *box)
    assert caught.value.status in (404, 422)


def test_a_plane_that_is_not_there_is_refused_by_both(image: Image) -> None:
    with pytest.raises(OutsideError):
        image.plane(z=1)
    with pytest.raises(ApiError) as caught:
        image._pixels.region(0, 0, 1, 0, 0, 4, 4)
    assert caught.value.status in (404, 422)


def test_what_is_no_image_has_no_pixels(cs: Coverslip, science: Served) -> None:
    for number in (science.n["study"], "IMG-1999-000001"):
        with pytest.raises(NotFoundError):
            cs.image(number)


def test_nobody_reads_pixels_without_a_session(science: Served) -> None:
    with Coverslip(science.server) as nobody, pytest.raises(ApiError) as caught:
        nobody.image(science.n["image1"])
    assert caught.value.code == "AUTH_REQUIRED"


def test_an_original_is_verified_and_saved_under_its_name(image: Image, tmp_path: Path) -> None:
    verified, facts = image.verify(), examine(SHIPPED[0])
    assert (verified.size, verified.sha256) == (facts.size, facts.sha256)
    assert verified.root == image.record["fields"]["root"]
    saved = image.download(tmp_path)
    assert Path(saved.path) == tmp_path / SHIPPED[0].name
    assert (tmp_path / SHIPPED[0].name).read_bytes() == SHIPPED[0].read_bytes()


def test_an_original_that_is_not_the_recorded_one_is_told(image: Image, tmp_path: Path) -> None:
    image.record["fields"]["files"][0]["sha256"] = "00" * 32
    with pytest.raises(EvidenceError, match="sha256"):
        image.verify()
    with pytest.raises(MisuseError):
        image.verify(name="another.tif")


def test_a_name_with_folders_is_not_followed(image: Image, tmp_path: Path) -> None:
    asked: list[Path] = []
    image.record["fields"]["files"][0]["name"] = "../../evil.tif"
    image._download = lambda number, name, target, overwrite: asked.append(target)  # type: ignore[assignment,misc,func-returns-value]
    image.download(tmp_path)
    assert asked == [tmp_path / "evil.tif"]
