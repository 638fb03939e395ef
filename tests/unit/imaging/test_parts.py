"""Any part of a plane equals what tifffile reads of it whole; lower levels are means of blocks, or stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

import coverslip.cli.demo
from coverslip.imaging.metadata import Refusal
from coverslip.imaging.pool import File, ReaderPool

DEMO = Path(next(iter(coverslip.cli.demo.__path__))) / "images"
RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 65536, (700, 901), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (300, 401, 3), dtype=np.uint8)
WHITE: dict[str, Any] = {"c": 0, "colour": "ffffff", "low": "0", "high": "255"}
PNG = {"channels": [WHITE], "format": "png", "quality": 85}


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    made = ReaderPool(1)
    yield made
    made.close()


def region(pool: ReaderPool, path: Path, box: tuple[int, int, int, int], c: int = 0, z: int = 0) -> Any:
    x, y, w, h = box
    answer = pool.ask(File(str(path), str(path)), "region", c=c, z=z, t=0, x=x, y=y, w=w, h=h)
    assert not isinstance(answer, Refusal), answer
    kind = np.dtype(answer[0]["dtype"]).newbyteorder("<")
    return np.frombuffer(answer[1], kind).reshape(answer[0]["shape"])


def tile(pool: ReaderPool, path: Path, level: int, column: int = 0, line: int = 0, **more: Any) -> Any:
    settings = {"z": 0, "t": 0, "channels": [WHITE], "format": "png", "quality": 85, **more}
    answer = pool.ask(File(str(path), str(path)), "tile", level=level, column=column, line=line, **settings)
    assert not isinstance(answer, Refusal), answer
    return imagecodecs.png_decode(answer[1])


WAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "strips": (GREY, {}),
    "one strip": (GREY, {"rowsperstrip": 700}),
    "tiles": (GREY, {"tile": (128, 256)}),
    "zstd tiles": (GREY, {"tile": (256, 256), "compression": "zstd"}),
    "deflate tiles with predictor": (GREY, {"tile": (64, 64), "compression": "zlib", "predictor": True}),
    "lzw strips": (GREY, {"compression": "lzw", "rowsperstrip": 13}),
    "big-endian": (GREY, {"byteorder": ">"}),
    "big-endian zstd": (GREY, {"byteorder": ">", "compression": "zstd", "tile": (256, 256)}),
    "bigtiff": (GREY, {"bigtiff": True, "tile": (256, 256)}),
    "colour": (COLOUR, {"photometric": "rgb", "tile": (128, 128)}),
    "colour deflate": (COLOUR, {"photometric": "rgb", "compression": "zlib", "rowsperstrip": 50}),
    "separate planes": (np.moveaxis(COLOUR, 2, 0), {"photometric": "rgb", "planarconfig": "separate"}),
    "separate zstd tiles": (
        np.moveaxis(COLOUR, 2, 0),
        {"photometric": "rgb", "planarconfig": "separate", "tile": (128, 128), "compression": "zstd"},
    ),
    "float": (GREY.astype(np.float32) / 7, {"compression": "zstd", "tile": (256, 256)}),
    "signed": (GREY.astype(np.int16), {}),
    "one bit": (GREY > 30000, {}),
    "32 bits": (GREY.astype(np.uint32) * 9, {"tile": (256, 256)}),
}


@pytest.mark.parametrize("way", WAYS)
def test_any_part_is_what_tifffile_reads(pool: ReaderPool, tmp_path: Path, way: str) -> None:
    pixels, how = WAYS[way]
    path = tmp_path / f"{way}.tif"
    tifffile.imwrite(path, pixels, metadata=None, **{"photometric": "minisblack", **how})
    whole = tifffile.imread(path)
    if way.startswith("separate"):
        whole = np.moveaxis(whole, 0, 2)
    height, width = whole.shape[:2]
    boxes = [(0, 0, width, height), (0, 0, 1, 1), (width - 1, height - 1, 1, 1), (37, 251, 300, 49)]
    boxes += [(int(RNG.integers(0, width - 90)), int(RNG.integers(0, height - 90)), 90, 80) for _ in range(4)]
    for x, y, w, h in boxes:
        got = region(pool, path, (x, y, w, h))
        assert got.dtype == whole.dtype
        assert np.array_equal(got, whole[y : y + h, x : x + w]), (x, y, w, h)


def test_every_plane_of_a_stack_is_its_own(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "stack.ome.tif"
    stack = RNG.integers(0, 4096, (2, 3, 90, 110), dtype=np.uint16)
    tifffile.imwrite(path, stack, metadata={"axes": "CZYX"}, photometric="minisblack", compression="zlib")
    for c in range(2):
        for z in range(3):
            assert np.array_equal(region(pool, path, (5, 6, 70, 60), c, z), stack[c, z, 6:66, 5:75])


def test_planes_behind_one_directory_are_read_where_they_lie(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "imagej.tif"
    stack = RNG.integers(0, 65536, (4, 2, 50, 60), dtype=np.uint16)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZCYX"})
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) in (1, 8)
    for z in range(4):
        for c in range(2):
            assert np.array_equal(region(pool, path, (3, 4, 50, 40), c, z), stack[z, c, 4:44, 3:53])


def test_real_files_read_in_parts_as_they_do_whole(pool: ReaderPool) -> None:
    for path in sorted(DEMO.glob("*.[tT][iI][fF]"))[:6]:
        whole = tifffile.imread(path, key=0)
        assert np.array_equal(region(pool, path, (10, 20, 60, 50)), whole[20:70, 10:70]), path.name


@pytest.mark.parametrize(
    ("low", "high"), [("0", "65535"), ("1000", "3000"), ("0.5", "77.25"), ("-5", "70000")]
)
def test_a_window_shows_every_value_by_the_one_rule(
    pool: ReaderPool, tmp_path: Path, low: str, high: str
) -> None:
    path = tmp_path / "all.tif"
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    tifffile.imwrite(path, values, metadata=None)
    got = tile(pool, path, 0, channels=[{**WHITE, "low": low, "high": high}])
    bottom, top = float(low), float(high)
    wanted = np.clip(np.floor((values - bottom) * 255 / (top - bottom) + 0.5), 0, 255)
    assert np.array_equal(got, wanted.astype(np.uint8))


def test_channels_are_added_in_their_colours(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    two = np.zeros((2, 20, 30), np.uint8)
    two[0, :, :15], two[1, :, 10:] = 200, 100
    tifffile.imwrite(path, two, metadata={"axes": "CYX"}, photometric="minisblack")
    red, grey = {**WHITE, "colour": "ff0000"}, {**WHITE, "c": 1, "colour": "ffffff"}
    got = tile(pool, path, 0, channels=[red, grey])
    assert got[0, 0].tolist() == [200, 0, 0]
    assert got[0, 12].tolist() == [255, 100, 100]
    assert got[0, 29].tolist() == [100, 100, 100]


def test_a_level_without_a_stored_one_is_the_mean_of_blocks(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "plain.tif"
    pixels = RNG.integers(0, 256, (611, 1027), dtype=np.uint8)
    tifffile.imwrite(path, pixels, metadata=None, tile=(128, 128), compression="zstd")
    padded = np.pad(pixels.astype(float), ((0, 1), (0, 1)), constant_values=np.nan)
    means = np.nanmean(padded.reshape(306, 2, 514, 2), axis=(1, 3))
    got = np.concatenate([tile(pool, path, 1, column, 1) for column in range(3)], axis=1)
    assert np.array_equal(got, np.floor(means + 0.5).astype(np.uint8)[256:])


def test_a_stored_level_is_shown_as_it_is_stored(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "pyramid.ome.tif"
    full = RNG.integers(0, 256, (600, 800), dtype=np.uint8)
    half = RNG.integers(0, 256, (300, 400), dtype=np.uint8)
    with tifffile.TiffWriter(path) as writer:
        writer.write(full, subifds=1, tile=(256, 256), compression="zstd", metadata={"axes": "YX"})
        writer.write(half, subfiletype=1, tile=(256, 256), compression="zstd")
    assert np.array_equal(tile(pool, path, 1), half[:256, :256])
    assert np.array_equal(tile(pool, path, 0, 3, 2), full[512:, 768:])


@pytest.fixture
def opened(pool: ReaderPool) -> Callable[..., Any]:
    def ask(path: Path, task: str, **more: Any) -> Any:
        answer = pool.ask(File(str(path), str(path)), task, **more)
        return answer if isinstance(answer, Refusal) else answer[0]

    return ask


def test_a_huge_plane_without_levels_is_reduced_the_same_from_far_and_near(
    opened: Callable[..., Any], pool: ReaderPool, tmp_path: Path
) -> None:
    path = tmp_path / "wide.tif"
    pixels = np.repeat(np.repeat(RNG.integers(0, 256, (40, 50), dtype=np.uint8), 128, 0), 128, 1)
    tifffile.imwrite(path, pixels, metadata=None, tile=(256, 256), compression="zstd")
    got = tile(pool, path, 5)
    assert np.array_equal(got, pixels[::32, ::32][:256, :256])
    assert np.array_equal(tile(pool, path, 7), pixels[::128, ::128])


def test_statistics_count_every_pixel(opened: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "counted.tif"
    tifffile.imwrite(path, GREY, metadata=None)
    found = opened(path, "statistics", c=0, z=0, t=0)
    assert (found["min"], found["max"]) == (str(GREY.min()), str(GREY.max()))
    assert sum(found["counts"]) == GREY.size
    assert found["counted_at"] == 0
    low, high = np.percentile(GREY, [0.1, 99.9], method="inverted_cdf")
    assert abs(int(found["low"]) - low) <= 1
    assert abs(int(found["high"]) - high) <= 1


def test_a_flat_plane_has_a_window_all_the_same(opened: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "flat.tif"
    tifffile.imwrite(path, np.full((40, 40), 7, np.uint16), metadata=None)
    found = opened(path, "statistics", c=0, z=0, t=0)
    assert (found["low"], found["high"]) == ("7", "8")


@pytest.mark.parametrize(
    ("task", "where"),
    [
        ("region", {"c": 0, "z": 0, "t": 0, "x": 0, "y": 0, "w": 902, "h": 1}),
        ("region", {"c": 0, "z": 0, "t": 0, "x": 901, "y": 0, "w": 1, "h": 1}),
        ("region", {"c": 1, "z": 0, "t": 0, "x": 0, "y": 0, "w": 1, "h": 1}),
        ("region", {"c": 0, "z": 1, "t": 0, "x": 0, "y": 0, "w": 1, "h": 1}),
        ("region", {"c": 0, "z": 0, "t": -1, "x": 0, "y": 0, "w": 1, "h": 1}),
        ("region", {"c": 0, "z": 0, "t": 0, "x": -1, "y": 0, "w": 1, "h": 1}),
        ("probe", {"z": 0, "t": 0, "x": 0, "y": 700}),
        ("tile", {"z": 0, "t": 0, "level": 0, "column": 4, "line": 0, **PNG}),
        ("tile", {"z": 0, "t": 0, "level": 41, "column": 0, "line": 0, **PNG}),
        ("tile", {"z": 0, "t": 0, "level": -1, "column": 0, "line": 0, **PNG}),
        ("statistics", {"c": 0, "z": 0, "t": 5}),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(
    opened: Callable[..., Any], tmp_path: Path, task: str, where: dict[str, Any]
) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, GREY, metadata=None)
    answer = opened(path, task, **where)
    assert isinstance(answer, Refusal)
    assert answer.check == "planes"


def test_an_answer_larger_than_allowed_is_refused(opened: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    tifffile.imwrite(
        path, np.zeros((8192, 8192), np.uint8), metadata=None, compression="zstd", tile=(256, 256)
    )
    where = {"c": 0, "z": 0, "t": 0, "x": 0, "y": 0}
    assert not isinstance(opened(path, "region", **where, w=8192, h=8192), Refusal)
    tifffile.imwrite(
        path.with_name("b.tif"), np.zeros((8193, 8192), np.uint8), metadata=None, compression="zstd"
    )
    answer = opened(path.with_name("b.tif"), "region", **where, w=8192, h=8193)
    assert isinstance(answer, Refusal)
    assert answer.check == "region"


def test_png_and_jpeg_are_read_too(pool: ReaderPool, tmp_path: Path) -> None:
    png, jpg = tmp_path / "a.png", tmp_path / "a.jpg"
    png.write_bytes(imagecodecs.png_encode(GREY))
    jpg.write_bytes(imagecodecs.jpeg8_encode(COLOUR, level=90))
    assert np.array_equal(region(pool, png, (30, 40, 50, 60)), GREY[40:100, 30:80])
    whole = imagecodecs.jpeg8_decode(jpg.read_bytes())
    assert np.array_equal(region(pool, jpg, (30, 40, 50, 60)), whole[40:100, 30:80])
