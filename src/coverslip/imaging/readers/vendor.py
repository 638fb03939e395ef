"""What makers write into plain TIFF: MetaMorph/MetaXpress, ImageJ and Exif.

Rules kept here: only what a maker states is taken; times without a zone stay without one; ImageJ's
resolution counts only where its description names a length unit.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from coverslip.imaging.readers import tiffwalk as tw, xmlsafe
from coverslip.imaging.readers.base import Findings, calibrate, clean, number, plain, uncalibrated
from coverslip.imaging.readers.tiffwalk import Directory, Structure

_MICROMETRE_NAMES: Final = {"um", "µm", "μm", "micron", "microns", "\\u00b5m"}
_TIME: Final = re.compile(r"(\d{4})[:-]?(\d\d)[:-]?(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d{1,9})?")
_EXPOSURE: Final = re.compile(r"(?:Exposure(?: Time)?:?\s*)?(\d+(?:\.\d+)?)\s*(ms|s|us)\b")
_SERIAL_NAMES: Final = ("Instrument Serial Number", "Microscope Serial Number", "Serial Number")


def iso_time(text: str) -> str:
    """Return a maker's date and time as ISO 8601 without zone; empty where it is none."""
    match = _TIME.search(text)
    if not match:
        return ""
    year, month, day, hour, minute, second, fraction = match.groups()
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{fraction or ''}"


def milliseconds(text: str) -> str:
    """Return an exposure such as ``100 ms`` in milliseconds; empty where it is none."""
    match = _EXPOSURE.search(text)
    value = number(match.group(1)) if match else None
    if match is None or value is None:
        return ""
    return plain(value * {"ms": Decimal(1), "s": Decimal(1000), "us": Decimal("0.001")}[match.group(2)])


def metaseries(text: bytes, answer: dict[str, Any], findings: Findings) -> int:
    """Take a MetaXpress description into the answer and return the planes it declares.

    Raises:
        XmlRefused: the description is not acceptable XML.
    """
    root = xmlsafe.parse(text)
    values: dict[str, str] = {}
    for item in root.iter():
        if item.tag in ("prop", "custom-prop"):
            values.setdefault(item.get("id", ""), item.get("value", ""))
    answer["flavour"] = "MetaXpress"
    if values.get("spatial-calibration-state") == "on" and values.get("spatial-calibration-units") == "um":
        sizes = (number(values.get("spatial-calibration-x")), number(values.get("spatial-calibration-y")))
        calibrate(answer, findings, sizes, "MetaXpress")
    else:
        uncalibrated(answer, findings, "the MetaXpress calibration is off or not in um")
    answer["acquired_at"] = iso_time(values.get("acquisition-time-local", ""))
    answer["instrument_serial"] = clean(
        next((values[name] for name in _SERIAL_NAMES if values.get(name)), "")
    )
    answer["objective"] = clean(values.get("_MagSetting_", ""))
    answer["numerical_aperture"] = _decimal(values.get("_MagNA_", ""))
    answer["exposure_ms"] = milliseconds(values.get("Exposure Time", ""))
    version = re.search(r"Software Version: ([^\r\n]+)", values.get("Description", ""))
    if version:
        answer["software"] = clean(version.group(1))
    channel = clean(values.get("_IllumSetting_", "") or values.get("image-name", ""))
    emission = _decimal(values.get("wavelength", ""))
    answer["channels"] = [{"name": channel, "emission_nm": emission, "exposure_ms": answer["exposure_ms"]}]
    names = {"stage-label": "stage_label", "stage-position-x": "stage_x", "stage-position-y": "stage_y",
             "z-position": "stage_z", "plane-guid": "plane_guid", "_Temperature_": "temperature"}  # fmt: skip
    answer["other"] = {names[key]: clean(values[key]) for key in names if values.get(key)}
    if values.get("camera-binning-x"):
        answer["other"]["binning"] = clean(
            f"{values['camera-binning-x']}x{values.get('camera-binning-y', '')}"
        )
    declared = number(values.get("number-of-planes", "1"))
    return int(declared) if declared is not None and declared >= 1 else 1


def metamorph(uic: dict[str, Any], text: str, answer: dict[str, Any], findings: Findings) -> None:
    """Take MetaMorph's UIC tags into the answer."""
    answer["flavour"] = "MetaMorph"
    units = clean(uic.get("CalibrationUnits", ""))
    if uic.get("SpatialCalibration") and units in _MICROMETRE_NAMES:
        sizes = (number(uic.get("XCalibration")), number(uic.get("YCalibration")))
        calibrate(answer, findings, sizes, "MetaMorph")
    else:
        uncalibrated(answer, findings, "the MetaMorph calibration is off or not in um")
    answer["acquired_at"] = iso_time(clean(uic.get("CreateTime", "")))
    answer["exposure_ms"] = milliseconds(text)
    properties = uic.get("PlaneProperty") or []
    values = {
        clean(item.get("name", "")): clean(item.get("value", ""))
        for item in properties
        if isinstance(item, dict)
    }
    answer["objective"] = values.get("_MagSetting_", "")
    answer["numerical_aperture"] = _decimal(values.get("_MagNA_", ""))
    answer["instrument_serial"] = next((values[name] for name in _SERIAL_NAMES if values.get(name)), "")
    emission = _decimal(clean(uic.get("wavelength", "")))
    answer["channels"] = [
        {"name": clean(uic.get("Name", "")), "emission_nm": emission, "exposure_ms": answer["exposure_ms"]}
    ]


def imagej(
    structure: Structure, page: Directory, text: str, answer: dict[str, Any], findings: Findings
) -> tuple[int, dict[str, int]]:
    """Take an ImageJ description into the answer; return the planes declared and its axes."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    answer["software"] = clean(f"ImageJ {values.get('ImageJ', '')}")
    unit = values.get("unit", "").strip()
    if unit.lower() in _MICROMETRE_NAMES:
        sizes = tuple(_per(structure.ratio(page, code)) for code in (tw.X_RESOLUTION, tw.Y_RESOLUTION))
        calibrate(answer, findings, (sizes[0], sizes[1]), "ImageJ")
    else:
        uncalibrated(answer, findings, f"ImageJ names {clean(unit, 40) or 'no unit'}, not micrometres")
    counts = {
        axis: _count(values.get(name)) for axis, name in (("c", "channels"), ("z", "slices"), ("t", "frames"))
    }
    return _count(values.get("images")), counts


def exif(structure: Structure, page: Directory, answer: dict[str, Any]) -> None:
    """Take maker, model, serial, time and software of TIFF and Exif tags where nothing better is known."""
    found = {
        "instrument_make": clean(structure.text(page, tw.MAKE)),
        "instrument_model": clean(structure.text(page, tw.MODEL)),
        "software": clean(structure.text(page, tw.SOFTWARE)),
        "acquired_at": iso_time(structure.text(page, tw.DATE_ORIGINAL)),
    }
    more = structure.exif(page)
    if more is not None:
        found["instrument_serial"] = clean(structure.text(more, tw.BODY_SERIAL))
        found["acquired_at"] = iso_time(structure.text(more, tw.DATE_ORIGINAL)) or found["acquired_at"]
    for name, value in found.items():
        if value and not answer.get(name):
            answer[name] = value
    written = iso_time(structure.text(page, tw.DATE_TIME))
    if written:
        answer.setdefault("other", {})["file_written"] = written


def _per(ratio: tuple[int, int] | None) -> Decimal | None:
    return Decimal(ratio[1]) / Decimal(ratio[0]) if ratio and ratio[0] else None


def _count(text: str | None) -> int:
    value = number(text) if text else None
    return int(value) if value is not None and 1 <= value <= 1 << 24 else 1


def _decimal(text: str) -> str:
    value = number(text)
    return "" if value is None else plain(value)
