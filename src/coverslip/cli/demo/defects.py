"""The files the demo makes from its real images while it runs: two damaged deliveries, and parts of a field.

Nothing damaged and nothing cut is shipped: every file is written anew from an image a person can look at, and
its pixels are those of that image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import tifffile

DECLARED_CHANNELS: Final = 9
WRITTEN_PLANES: Final = 3


def write_truncated(image: Path, target: Path, keep: float = 0.6) -> int:
    """Write the first part of ``image`` (a share of its bytes, above 0 and below 1) to ``target``.

    Returns the bytes written. Raises ValueError for a share that would cut nothing or leave nothing.
    """
    if not 0 < keep < 1:
        raise ValueError(f"keep must lie between 0 and 1, not {keep}")
    data = image.read_bytes()
    part = data[: int(len(data) * keep)]
    target.write_bytes(part)
    return len(part)


def write_foreign(image: Path, target: Path, serial: str, acquired_at: str = "") -> None:
    """Write an OME-TIFF of three real planes that declares nine and names another instrument.

    The pixels are those of ``image``'s first plane. ``serial`` goes into the OME instrument;
    ``acquired_at`` (ISO 8601) into the acquisition date, where given.
    """
    with tifffile.TiffFile(image) as source:
        plane = np.ascontiguousarray(source.pages.first.asarray())
    with tifffile.TiffWriter(target, ome=False) as writer:
        for index in range(WRITTEN_PLANES):
            description = _ome(plane, serial, acquired_at) if index == 0 else None
            writer.write(
                plane, photometric="minisblack", description=description, metadata=None, contiguous=False
            )


def write_part(image: Path, target: Path, row: int, column: int, rows: int, columns: int) -> None:
    """Write one of ``rows`` by ``columns`` equal parts of a grey image, its pixels as they are.

    ``row`` and ``column`` count from 0. Raises ValueError for a part the image does not have.
    """
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(f"part {row}, {column} of {rows} x {columns} does not exist")
    plane = tifffile.imread(image)
    height, width = plane.shape[0] // rows, plane.shape[1] // columns
    part = plane[row * height : (row + 1) * height, column * width : (column + 1) * width]
    tifffile.imwrite(target, np.ascontiguousarray(part), photometric="minisblack", metadata=None)


def _ome(plane: npt.NDArray[Any], serial: str, acquired_at: str) -> bytes:
    length, width = plane.shape
    date = f"<AcquisitionDate>{acquired_at}</AcquisitionDate>" if acquired_at else ""
    channels = "".join(
        f'<Channel ID="Channel:0:{index}" SamplesPerPixel="1"/>' for index in range(DECLARED_CHANNELS)
    )
    scope = f'<Microscope Manufacturer="Unknown" Model="Unknown" SerialNumber={quoteattr(serial)}/>'
    pixels = (
        f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="{plane.dtype}" SizeX="{width}" SizeY="{length}"'
        f' SizeZ="1" SizeC="{DECLARED_CHANNELS}" SizeT="1" PhysicalSizeX="1.3672" PhysicalSizeXUnit="µm"'
        f' PhysicalSizeY="1.3672" PhysicalSizeYUnit="µm">{channels}<TiffData/></Pixels>'
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Instrument ID="Instrument:0">{scope}</Instrument>'
        f'<Image ID="Image:0">{date}<InstrumentRef ID="Instrument:0"/>{pixels}</Image></OME>'
    )
    return text.encode("utf-8")
