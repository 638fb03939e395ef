"""What a reader process can be asked: ``inspect`` a file, or read one ``plane`` of it."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Final

import imagecodecs
import numpy as np

from coverslip.imaging.readers import jpeg, png, tiff
from coverslip.imaging.readers.base import Findings, RefusedFile, Source
from coverslip.imaging.readers.segments import ERRORS

READER: Final = "coverslip.imaging"
READER_VERSION: Final = "1"
_EXTENSIONS: Final = {
    "TIFF": {"tif", "tiff", "stk", "svs", "btf", "tf8"},
    "PNG": {"png"},
    "JPEG": {"jpg", "jpeg"},
}
_LIBRARIES: Final = ("libjpeg_turbo", "libpng", "openjpeg", "libwebp", "libjxl", "liblzma", "zstd", "zlib")
_UNREADABLE: Final = ("truncated", "decodes", "checksum")
_READERS: Final = {"TIFF": tiff.inspect, "PNG": png.inspect, "JPEG": jpeg.inspect}


def decoders() -> dict[str, str]:
    """Return the versions of everything that turns bytes into pixels here."""
    parts = {name: version(name) for name in ("numpy", "tifffile", "imagecodecs")}
    libraries = imagecodecs.version(dict)
    return parts | {name: str(libraries[name]) for name in _LIBRARIES if name in libraries}


def do(request: dict[str, Any], source: Source) -> dict[str, Any]:
    """Do one task. Raises RefusedFile where the file cannot be read."""
    kind = recognise(source)
    if request["task"] == "inspect":
        return {"metadata": _inspect(kind, source, str(request.get("name", "")))}
    return _plane(kind, source, request)


def recognise(source: Source) -> str:
    """Return the format the first bytes show. Raises RefusedFile for anything else."""
    head = source.at(0, 16)
    if head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "TIFF"
    if head.startswith(png.SIGNATURE):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    found = f"first bytes {head[:8].hex()}" if head else "an empty file"
    raise RefusedFile("parses", "a TIFF, PNG or JPEG file", found, "byte 0")


def _inspect(kind: str, source: Source, name: str) -> dict[str, Any]:
    findings = Findings()
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if extension and extension not in _EXTENSIONS[kind]:
        endings = " or ".join(sorted(_EXTENSIONS[kind]))
        findings.bad("extension", f"a name ending in {endings}", f".{extension}", name[-80:])
    else:
        findings.good(
            "extension", f"a name of a {kind} file", f".{extension}" if extension else "no extension"
        )
    answer = _READERS[kind](source, findings, name)
    findings.good("parses", "a TIFF, PNG or JPEG file", str(answer["format"]))
    return answer | {
        "size_bytes": source.size,
        "reader": READER,
        "reader_version": READER_VERSION,
        "decoders": decoders(),
        "findings": [asdict(item) for item in findings.items],
    }


def checked(kind: str, source: Source) -> dict[str, Any]:
    """Return the answer for a PNG or JPEG file. Raises RefusedFile where its pixels cannot be had whole."""
    answer = _inspect(kind, source, "")
    for item in answer["findings"]:
        if not item["ok"] and item["check"] in _UNREADABLE:
            raise RefusedFile(item["check"], item["expected"], item["found"], item["where"])
    return answer


def _plane(kind: str, source: Source, request: dict[str, Any]) -> dict[str, Any]:
    c, z, t = (int(request[axis]) for axis in "czt")
    page, lossy = 0, False
    if kind == "TIFF":
        pixels, page, lossy = tiff.plane(source, c, z, t)
    else:
        if (c, z, t) != (0, 0, 0):
            raise RefusedFile("planes", "plane c=0 z=0 t=0, the only one", f"c={c} z={z} t={t}")
        answer = checked(kind, source)
        lossy = bool(answer["lossy"])
        try:
            pixels = (
                jpeg.decode(source) if kind == "JPEG" else imagecodecs.png_decode(source.at(0, source.size))
            )
        except ERRORS as error:
            raise RefusedFile("decodes", "pixels", f"{type(error).__name__}: {error}") from error
    with open(request["output"], "xb") as stream:
        np.save(stream, pixels, allow_pickle=False)
    return {
        "page": page,
        "lossy": lossy,
        "reader": READER,
        "reader_version": READER_VERSION,
        "decoders": decoders(),
    }
