"""What real and well-formed files say of themselves is read as they say it, and nothing is added."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

import coverslip.cli.demo
from coverslip.imaging import ImageMetadata, Refusal, inspect, read_plane
from coverslip.ledger import canonical

DEMO = Path(next(iter(coverslip.cli.demo.__path__))) / "images"
PIXELS = (np.arange(48 * 64, dtype=np.uint16) * 7).reshape(48, 64)


def known(path: Path, **more: Any) -> ImageMetadata:
    answer = inspect(path, **more)
    assert isinstance(answer, ImageMetadata), answer
    return answer


def bad(metadata: ImageMetadata) -> set[str]:
    return {item.check for item in metadata.failed()}


def ome_xml(pixels: str, inner: str = "", before: str = "", attributes: str = "", c: int = 1) -> bytes:
    """An OME document for 64 x 48 uint16 planes; ``attributes`` go into Pixels."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{before}<Image ID="Image:0">{inner}'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="64" SizeY="48" SizeZ="1" '
        f'SizeT="1" SizeC="{c}" {attributes}>{pixels}</Pixels></Image></OME>'
    ).encode()


def write_ome(path: Path, xml: bytes, planes: int = 1) -> Path:
    with tifffile.TiffWriter(path, ome=False) as writer:
        for index in range(planes):
            writer.write(
                PIXELS + index, description=xml if index == 0 else None, metadata=None, contiguous=False,
                photometric="minisblack",
            )  # fmt: skip
    return path


def test_a_metaxpress_file_names_instrument_time_objective_exposure_and_calibration() -> None:
    metadata = known(DEMO / "9987_B02_s1_w1.TIF")
    assert (metadata.format, metadata.flavour) == ("TIFF", "MetaXpress")
    assert (metadata.dims.x, metadata.dims.y, metadata.dims.planes) == (256, 256, 1)
    assert (metadata.dtype, metadata.bit_depth, metadata.compression, metadata.lossy) == (
        "uint16",
        16,
        "none",
        False,
    )
    assert metadata.pixel_size_um == ("1.3672", "1.3672")
    assert metadata.acquired_at == "2024-07-09T13:13:03.006"
    assert metadata.instrument_serial == "5165008"
    assert (metadata.objective, metadata.numerical_aperture) == ("40X Plan Apo Lambda", "0.95")
    assert metadata.exposure_ms == "100"
    assert [(item.name, item.emission_nm) for item in metadata.channels] == [("DAPI", "452")]
    assert bad(metadata) == set()


def test_an_imagej_hyperstack_has_its_channels_and_no_calibration_without_a_unit() -> None:
    metadata = known(DEMO / "BBBC022_IXMtest_A02_s9.tif")
    assert (metadata.format, metadata.dims.c, metadata.planes_present) == ("ImageJ TIFF", 3, 3)
    assert metadata.pixel_size_um is None
    assert bad(metadata) == {"calibration"}


def test_dots_per_inch_are_no_calibration() -> None:
    metadata = known(DEMO / "AS_09125_050116030001_D03f00d0.tif")
    assert metadata.compression == "PackBits"
    assert metadata.pixel_size_um is None
    assert "dots per inch" in metadata.uncalibrated


def test_every_demo_image_is_whole_and_lossless() -> None:
    files = [path for path in sorted(DEMO.iterdir()) if path.suffix.lower() == ".tif"]
    assert len(files) == 17
    for path in files:
        assert bad(known(path)) <= {"calibration"}, path.name


def test_metadata_is_canonical_json_without_empty_values() -> None:
    content = known(DEMO / "9987_B02_s1_w1.TIF").content()
    assert canonical.decode(canonical.encode(content)) == content
    assert content["pixel_size_um"] == {"x": "1.3672", "y": "1.3672"}
    assert "instrument_make" not in content
    assert {item["name"] for item in content["decoders"]} >= {"tifffile", "imagecodecs", "numpy"}


def test_an_ome_file_gives_its_instrument_objective_exposure_and_time(tmp_path: Path) -> None:
    xml = ome_xml(
        before='<Instrument ID="I:0"><Microscope Manufacturer="Nikon" Model="Ti2" SerialNumber="N-7"/>'
        '<Objective ID="O:0" Model="Plan Apo" NominalMagnification="20.0" LensNA="0.75"/></Instrument>',
        inner="<AcquisitionDate>2027-03-01T10:00:00Z</AcquisitionDate>"
        '<InstrumentRef ID="I:0"/><ObjectiveSettings ID="O:0"/>',
        pixels='<Channel ID="C:0" Name="DAPI" EmissionWavelength="461.0"/><TiffData/>'
        '<Plane TheC="0" TheZ="0" TheT="0" ExposureTime="0.25"/>',
        attributes='PhysicalSizeX="325" PhysicalSizeXUnit="nm" PhysicalSizeY="0.325"',
    )
    metadata = known(write_ome(tmp_path / "a.ome.tif", xml))
    assert metadata.format == "OME-TIFF"
    assert (metadata.instrument_make, metadata.instrument_model, metadata.instrument_serial) == (
        "Nikon",
        "Ti2",
        "N-7",
    )
    assert (metadata.objective, metadata.magnification, metadata.numerical_aperture) == (
        "Plan Apo",
        "20",
        "0.75",
    )
    assert metadata.pixel_size_um == ("0.325", "0.325")
    assert metadata.exposure_ms == "250"
    assert metadata.acquired_at == "2027-03-01T10:00:00Z"
    assert bad(metadata) == set()


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ("", "names no pixel size"),
        ('PhysicalSizeX="0.0" PhysicalSizeY="0.0"', "gives 0 x 0 um"),
        ('PhysicalSizeX="352.78" PhysicalSizeY="352.78"', "352.78"),
        ('PhysicalSizeX="-1" PhysicalSizeY="1"', "-1"),
        ('PhysicalSizeX="NaN" PhysicalSizeY="1"', "no usable number"),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1"', "in pixel"),
        ('PhysicalSizeX="1" PhysicalSizeY="51"', "51"),
    ],
)
def test_an_impossible_pixel_size_leaves_the_image_uncalibrated(
    tmp_path: Path, attributes: str, reason: str
) -> None:
    metadata = known(write_ome(tmp_path / "a.ome.tif", ome_xml("<TiffData/>", attributes=attributes)))
    assert metadata.pixel_size_um is None
    assert reason in metadata.uncalibrated
    assert bad(metadata) == {"calibration"}


def test_imagej_calibration_counts_only_in_micrometres(tmp_path: Path) -> None:
    for unit, size in (("um", ("0.5", "0.5")), ("inch", None)):
        path = tmp_path / f"{unit}.tif"
        tifffile.imwrite(path, PIXELS, imagej=True, resolution=(2, 2), metadata={"unit": unit})
        assert known(path).pixel_size_um == size


def test_an_imagej_stack_behind_one_directory_has_all_its_planes(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    stack = np.stack([PIXELS + index for index in range(6)]).reshape(3, 2, 48, 64)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZCYX"})
    metadata = known(path)
    assert (metadata.dims.z, metadata.dims.c, metadata.planes_present) == (3, 2, 6)
    plane = read_plane(path, c=1, z=2)
    assert not isinstance(plane, Refusal)
    assert np.array_equal(plane.pixels, stack[2, 1])


def test_orientation_is_recorded_and_not_applied(tmp_path: Path) -> None:
    path = tmp_path / "turned.tif"
    tifffile.imwrite(path, PIXELS, extratags=[(274, "H", 1, 6, True)])
    metadata = known(path)
    assert (metadata.orientation, metadata.dims.x, metadata.dims.y) == (6, 64, 48)
    assert "orientation" in bad(metadata)
    plane = read_plane(path)
    assert not isinstance(plane, Refusal)
    assert np.array_equal(plane.pixels, PIXELS)


@pytest.mark.parametrize("compression", ["zlib", "lzw", "zstd", "lzma", "packbits"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_lossless_compressions_read_exactly(
    tmp_path: Path, compression: str, tile: tuple[int, int] | None
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, compression=compression, tile=tile, rowsperstrip=None if tile else 7)
    metadata = known(path)
    assert not metadata.lossy
    assert bad(metadata) == {"calibration"}
    plane = read_plane(path)
    assert not isinstance(plane, Refusal)
    assert plane.pixels.dtype == np.uint16
    assert np.array_equal(plane.pixels, PIXELS)


def test_a_jpeg_inside_a_tiff_is_marked_lossy(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, (PIXELS % 251).astype(np.uint8), compression="jpeg")
    metadata = known(path)
    assert metadata.lossy
    assert bad(metadata) == {"calibration", "lossy"}
    plane = read_plane(path)
    assert not isinstance(plane, Refusal)
    assert plane.lossy
    assert "libjpeg_turbo" in plane.decoders


def test_a_jpeg_is_recognised_as_a_lossy_source(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(imagecodecs.jpeg8_encode((PIXELS % 251).astype(np.uint8), level=90))
    metadata = known(path)
    assert (metadata.format, metadata.lossy, metadata.dims.x, metadata.dims.y) == ("JPEG", True, 64, 48)
    assert metadata.planes_present == 1


def test_a_bigtiff_with_a_pyramid_tells_its_levels(tmp_path: Path) -> None:
    path = tmp_path / "p.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(PIXELS, subifds=1, tile=(16, 16), metadata=None)
        writer.write(PIXELS[::2, ::2], subfiletype=1, tile=(16, 16), metadata=None)
    metadata = known(path)
    assert (metadata.dims.levels, metadata.planes_present) == (2, 1)
    assert bad(metadata) == {"calibration"}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_is_read_with_every_checksum(tmp_path: Path, dtype: type[np.unsignedinteger[Any]]) -> None:
    path = tmp_path / "a.png"
    image = (PIXELS % 256).astype(dtype)
    path.write_bytes(imagecodecs.png_encode(image))
    metadata = known(path)
    assert (metadata.format, metadata.dtype, metadata.lossy) == ("PNG", np.dtype(dtype).name, False)
    assert bad(metadata) == {"calibration"}
    plane = read_plane(path)
    assert not isinstance(plane, Refusal)
    assert np.array_equal(plane.pixels, image)


def test_an_interlaced_png_is_counted_pass_by_pass(tmp_path: Path) -> None:
    width = height = 5
    rows = sum(
        -(-(height - top) // down) * (1 + -(-(width - left) // across))
        for left, top, across, down in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                                        (1, 0, 2, 2), (0, 1, 1, 2))
        if width > left and height > top
    )  # fmt: skip
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
    path = tmp_path / "i.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(rows)))
        + chunk(b"IEND", b"")
    )
    assert bad(known(path)) == {"calibration"}


def test_the_name_given_is_held_against_the_content(tmp_path: Path) -> None:
    path = tmp_path / ("0" * 64)
    path.write_bytes((DEMO / "9987_B02_s1_w1.TIF").read_bytes())
    assert bad(known(path)) == set()
    assert bad(known(path, name="a.TIF")) == set()
    assert bad(known(path, name="a.png")) == {"extension"}


def test_a_plane_carries_the_pixels_tifffile_reads_from_each_page() -> None:
    path = DEMO / "BBBC022_IXMtest_A02_s9.tif"
    truth = tifffile.imread(path)
    for channel in range(3):
        plane = read_plane(path, c=channel)
        assert not isinstance(plane, Refusal)
        assert plane.pixels.dtype == truth.dtype
        assert np.array_equal(plane.pixels, truth[channel])
    beyond = read_plane(path, c=3)
    assert isinstance(beyond, Refusal)
    assert beyond.check == "planes"


@pytest.mark.parametrize("order", ["XYZCT", "XYCZT", "XYTCZ", "XYCTZ", "XYTZC", "XYZTC"])
def test_planes_follow_the_declared_dimension_order(tmp_path: Path, order: str) -> None:
    path = tmp_path / "o.ome.tif"
    xml = ome_xml("<TiffData/>").decode().replace("XYZCT", order)
    xml = (
        xml.replace('SizeZ="1"', 'SizeZ="2"')
        .replace('SizeT="1"', 'SizeT="4"')
        .replace('SizeC="1"', 'SizeC="3"')
    )
    write_ome(path, xml.encode(), planes=24)
    sizes = {"Z": 2, "C": 3, "T": 4}
    place = {"Z": 1, "C": 2, "T": 3}
    expected, step = 0, 1
    for axis in order[2:]:
        expected += place[axis] * step
        step *= sizes[axis]
    plane = read_plane(path, c=2, z=1, t=3)
    assert not isinstance(plane, Refusal)
    assert np.array_equal(plane.pixels, PIXELS + expected)


def test_explicit_tiffdata_places_each_plane(tmp_path: Path) -> None:
    blocks = '<TiffData IFD="1" FirstC="0" PlaneCount="1"/><TiffData IFD="0" FirstC="1" PlaneCount="1"/>'
    path = write_ome(tmp_path / "x.ome.tif", ome_xml(blocks, c=2), planes=2)
    first, second = read_plane(path, c=0), read_plane(path, c=1)
    assert not isinstance(first, Refusal)
    assert not isinstance(second, Refusal)
    assert (first.page, second.page) == (1, 0)
    assert int(first.pixels[0, 0]) == 1


def test_the_demos_planes_decode_as_another_library_decodes_them() -> None:
    for path in DEMO.glob("*.TIF"):
        plane = read_plane(path)
        assert not isinstance(plane, Refusal)
        assert np.array_equal(plane.pixels, tifffile.imread(path))
