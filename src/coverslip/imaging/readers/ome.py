"""OME-XML: what it declares, and where it says each plane lies.

Rules kept here: declared planes are counted by the file's own words and later held against the pages
that exist; a file that keeps its metadata or planes elsewhere says so in a finding; lengths are
converted exactly, unknown units are no calibration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from xml.etree.ElementTree import Element

from coverslip.imaging.readers.base import (
    Findings,
    RefusedFile,
    calibrate,
    clean,
    number,
    plain,
    uncalibrated,
)

_MICROMETRES: Final = {
    "µm": Decimal(1), "μm": Decimal(1), "um": Decimal(1), "micron": Decimal(1), "nm": Decimal("0.001"),
    "mm": Decimal(1000), "cm": Decimal(10000), "m": Decimal(1000000), "Å": Decimal("0.0001"),
    "pm": Decimal("0.000001"),
}  # fmt: skip
_MILLISECONDS: Final = {"s": Decimal(1000), "ms": Decimal(1), "µs": Decimal("0.001"), "μs": Decimal("0.001"),
                        "us": Decimal("0.001"), "ns": Decimal("0.000001"), "min": Decimal(60000)}  # fmt: skip
_ORDERS: Final = {"XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"}
_MAX_COUNT: Final = 1 << 24


@dataclass(slots=True)
class OmeImage:
    """One Image element's Pixels. ``samples`` per page; ``blocks`` are its TiffData in order."""

    x: int
    y: int
    z: int
    c: int
    t: int
    order: str
    type: str
    samples: int
    blocks: list[tuple[int | None, int | None, tuple[int, int, int], bool]] = field(default_factory=list)
    """(first page or None, count or None, (c, z, t) of its first plane, whether in this file)."""

    @property
    def pages(self) -> int:
        """Pages that hold all its planes."""
        return self.z * self.t * max(1, self.c // self.samples)

    def page_of(self, c: int, z: int, t: int) -> int | None:
        """Return the page of one plane, or None where the file does not say it holds it."""
        wanted = self._rank(c // self.samples, z, t)
        whole = [block for block in self.blocks if block[3]]
        if not self.blocks or (len(whole) == 1 and whole[0][0] is None and whole[0][1] is None):
            return wanted
        for index, (page, count, first, _) in enumerate(whole):
            start = self._rank(first[0] // self.samples, first[1], first[2])
            length = count if count is not None else 1 if page is not None else self.pages
            if start <= wanted < start + length:
                return (page if page is not None else index) + wanted - start
        return None

    def last_page(self) -> int:
        """Return one past the highest page any block names."""
        named = [
            (page or 0) + (count or 1)
            for page, count, _, inside in self.blocks
            if inside and page is not None
        ]
        return max(named, default=0)

    def _rank(self, c: int, z: int, t: int) -> int:
        sizes = {"Z": self.z, "C": max(1, self.c // self.samples), "T": self.t}
        place = {"Z": z, "C": c, "T": t}
        rank, step = 0, 1
        for axis in self.order[2:]:
            rank += place[axis] * step
            step *= sizes[axis]
        return rank


def images(root: Element, findings: Findings, name: str) -> list[OmeImage]:
    """Return the images an OME document declares.

    Raises:
        RefusedFile: a size that is no positive count, an unknown dimension order.
    """
    binary = root.find("BinaryOnly")
    if binary is not None:
        held = clean(binary.get("MetadataFile", "another file"))
        findings.bad(
            "companion", "the image's metadata in the file itself", f"it is in {held}", "OME BinaryOnly"
        )
        return []
    found = [_image(pixels, root.get("UUID", ""), name) for pixels in root.findall("Image/Pixels")]
    elsewhere = sum(not block[3] for image in found for block in image.blocks)
    if elsewhere:
        findings.bad(
            "companion", "all planes in this file", f"{elsewhere} blocks in other files", "OME TiffData"
        )
    else:
        findings.good("companion", "metadata and planes in the file itself", "both")
    return found


def _image(pixels: Element, own: str, name: str) -> OmeImage:
    x, y, z, c, t = (_count(pixels, key) for key in ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeT"))
    order = pixels.get("DimensionOrder", "")
    if order not in _ORDERS:
        raise RefusedFile("dimensions", "an OME dimension order", clean(order) or "none", "OME Pixels")
    channel = pixels.find("Channel")
    samples = int(number(channel.get("SamplesPerPixel", "1")) or 1) if channel is not None else 1
    image = OmeImage(x, y, z, c, t, order, clean(pixels.get("Type", "")), max(1, min(samples, c)))
    for block in pixels.findall("TiffData"):
        uuid = block.find("UUID")
        inside = (
            uuid is None or (uuid.text or "").strip() == own or (not own and uuid.get("FileName") == name)
        )
        first = tuple(_optional(block, key) or 0 for key in ("FirstC", "FirstZ", "FirstT"))
        image.blocks.append(
            (_optional(block, "IFD"), _optional(block, "PlaneCount"), (first[0], first[1], first[2]), inside)
        )
    return image


def _count(element: Element, key: str) -> int:
    value = number(element.get(key, ""))
    if value is None or value != int(value) or not 0 < value <= _MAX_COUNT:
        raise RefusedFile(
            "dimensions", f"{key} of 1 to {_MAX_COUNT}", clean(element.get(key, "none")), "OME Pixels"
        )
    return int(value)


def _optional(element: Element, key: str) -> int | None:
    value = number(element.get(key, ""))
    return int(value) if value is not None and 0 <= value <= _MAX_COUNT else None


def describe(root: Element, answer: dict[str, Any], findings: Findings) -> None:
    """Put calibration, time, instrument, objective, channels and exposure into the answer."""
    image = root.find("Image")
    pixels = root.find("Image/Pixels")
    if image is None or pixels is None:
        return
    _calibration(pixels, answer, findings)
    date = image.findtext("AcquisitionDate") or ""
    answer["acquired_at"] = clean(date, 40)
    answer["software"] = clean(root.get("Creator", "")) or answer.get("software", "")
    instrument = _referred(root, image, "InstrumentRef", "Instrument")
    scope = instrument.find("Microscope") if instrument is not None else None
    if scope is not None:
        for key, name in (("make", "Manufacturer"), ("model", "Model"), ("serial", "SerialNumber")):
            answer[f"instrument_{key}"] = clean(scope.get(name, ""))
    objective = _referred(root, image, "ObjectiveSettings", "Instrument/Objective")
    if objective is not None:
        answer["objective"] = clean(objective.get("Model", ""))
        answer["magnification"] = _decimal(objective.get("NominalMagnification"))
        answer["numerical_aperture"] = _decimal(objective.get("LensNA"))
    exposures = _exposures(pixels)
    answer["exposure_ms"] = exposures.get("0", "")
    answer["channels"] = [
        {"name": clean(item.get("Name", "")), "emission_nm": _decimal(item.get("EmissionWavelength")),
         "exposure_ms": exposures.get(str(index), "")}
        for index, item in enumerate(pixels.findall("Channel")[:100])
    ]  # fmt: skip


def _referred(root: Element, image: Element, reference: str, path: str) -> Element | None:
    pointer = image.find(reference)
    known = root.findall(path)
    if pointer is None:
        return known[0] if len(known) == 1 else None
    return next((item for item in known if item.get("ID") == pointer.get("ID")), None)


def _calibration(pixels: Element, answer: dict[str, Any], findings: Findings) -> None:
    sizes: list[Decimal | None] = []
    for axis in ("X", "Y"):
        text = pixels.get(f"PhysicalSize{axis}")
        if text is None:
            uncalibrated(answer, findings, "the OME metadata names no pixel size")
            return
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
        if unit not in _MICROMETRES:
            uncalibrated(answer, findings, f"the OME pixel size is in {clean(unit, 40)}")
            return
        value = number(text)
        sizes.append(None if value is None else value * _MICROMETRES[unit])
    calibrate(answer, findings, (sizes[0], sizes[1]), "OME")


def _exposures(pixels: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for plane in pixels.findall("Plane"):
        value, unit = number(plane.get("ExposureTime", "")), plane.get("ExposureTimeUnit", "s")
        if value is not None and unit in _MILLISECONDS:
            found.setdefault(plane.get("TheC", "0"), plain(value * _MILLISECONDS[unit]))
    return found


def _decimal(text: str | None) -> str:
    value = number(text) if text else None
    return "" if value is None else plain(value)
