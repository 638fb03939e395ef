"""TIFF, OME-TIFF and ImageJ TIFF: structure, planes declared against planes present, metadata.

Rules kept here: what a file declares never makes planes; only a page, or bytes behind a page, is a
plane. tifffile decodes single pages and reads MetaMorph tags; it never assembles series, because it
fills what is missing with zeros.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tifffile

from coverslip.imaging.metadata import counted
from coverslip.imaging.readers import ome, segments, tiffwalk as tw, vendor, xmlsafe
from coverslip.imaging.readers.base import Findings, RefusedFile, Source, uncalibrated
from coverslip.imaging.readers.ome import OmeImage
from coverslip.imaging.readers.segments import COMPRESSIONS, ERRORS, LOSSLESS, Grid
from coverslip.imaging.readers.tiffwalk import Directory, Structure

_OME: Final = re.compile(rb"<(?:\w+:)?OME[\s>]")
_KINDS: Final = {1: "uint", 2: "int", 3: "float", 5: "complex", 6: "complex"}
_OME_TYPES: Final = {
    "float": "float32",
    "double": "float64",
    "complex": "complex64",
    "double-complex": "complex128",
}


@dataclass(slots=True)
class Layout:
    """What the planes of a file are and where."""

    format: str
    pages: list[Directory]
    axes: dict[str, int]
    declared: int
    stacked: int
    """Planes stored one after the other behind the first directory; 0 where each plane has a page."""
    images: list[OmeImage]
    source: str = "page order"


def inspect(source: Source, findings: Findings, name: str) -> dict[str, Any]:
    """Return the answer for a TIFF file. Raises RefusedFile where nothing can be said of it."""
    structure = tw.walk(source, findings)
    first, *_ = pages = tw.main_pages(structure) or structure.pages
    cut = segments.grid(structure, first)
    answer: dict[str, Any] = {"flavour": "", "channels": [], "other": {}}
    with tifffile.TiffFile(source.stream, is_ome=False, is_lsm=False, _multifile=False) as tiff:
        layout = layout_of(structure, pages, cut, answer, findings, name, tiff)
        vendor.exif(structure, first, answer)
        whole = _present(structure, layout, cut)
        _planes(layout, whole, findings)
        _decode(structure, layout, tiff)
    _pixels(structure, first, cut, layout, answer, findings)
    x, y = cut.width, cut.length
    counts = {axis: layout.axes.get(axis, 1) for axis in "czt"}
    planes = counts["c"] * counts["z"] * counts["t"]
    answer["dims"] = {"x": x, "y": y, **counts, "planes": planes, "levels": 1 + len(first.subs)}
    answer |= {"format": layout.format, "axes_source": layout.source, "planes_declared": layout.declared,
               "planes_present": whole}  # fmt: skip
    if len(structure.pages) > len(pages):
        answer["other"]["other_pages"] = str(len(structure.pages) - len(pages))
    return answer


def plane(source: Source, c: int, z: int, t: int) -> tuple[npt.NDArray[Any], int, bool]:
    """Return one plane's pixels, its page, and whether they are lossy.

    Raises:
        RefusedFile: the plane is not declared, not in the file, damaged, or too large.
    """
    findings = Findings()
    structure = tw.walk(source, findings)
    pages = tw.main_pages(structure) or structure.pages
    cut = segments.grid(structure, pages[0])
    with tifffile.TiffFile(source.stream, is_ome=False, is_lsm=False, _multifile=False) as tiff:
        layout = layout_of(structure, pages, cut, {"other": {}}, findings, "", tiff)
        index = index_of(layout, c, z, t)
        page = layout.pages[0] if layout.stacked else layout.pages[index]
        own = segments.grid(structure, page)
        if own.page_bytes > source.limits.max_plane_bytes:
            expected = f"a plane of at most {source.limits.max_plane_bytes} bytes"
            raise RefusedFile("limits", expected, f"{own.page_bytes} bytes", page.name)
        number = structure.pages.index(page)
        mine = Findings()
        structure.findings = mine
        if not segments.present(mine, page, own, source.size):
            raise _first(mine)
        tiff_page: Any = tiff.pages[number]
        if not segments.decodes(structure, page, own, tiff_page):
            raise _first(mine)
        try:
            pixels = _stacked(source, own, tiff_page, index) if layout.stacked else tiff_page.asarray()
        except ERRORS as error:
            raise RefusedFile("decodes", "pixels", f"{type(error).__name__}: {error}", page.name) from error
    return np.ascontiguousarray(pixels), number, own.compression not in LOSSLESS


def _first(findings: Findings) -> RefusedFile:
    item = next(item for item in findings.items if not item.ok)
    return RefusedFile(item.check, item.expected, item.found, item.where)


def _stacked(source: Source, cut: Grid, page: Any, index: int) -> npt.NDArray[Any]:
    if cut.compression != 1 or index == 0:
        return np.asarray(page.asarray())
    start = cut.offsets[0] + index * cut.page_bytes
    data = source.at(start, cut.page_bytes)
    if len(data) != cut.page_bytes:
        stop = start + cut.page_bytes
        found = f"the file ends at byte {source.size}"
        raise RefusedFile("truncated", f"bytes {start} to {stop}", found, f"plane {index}")
    kind = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    return np.frombuffer(data, kind).reshape(page.shape).astype(page.dtype)


def index_of(layout: Layout, c: int, z: int, t: int) -> int:
    """Return which of a layout's planes is at channel, depth and time. Raises RefusedFile: ``planes``."""
    sizes = layout.axes
    for axis, at in (("c", c), ("z", z), ("t", t)):
        if not 0 <= at < sizes.get(axis, 1):
            raise RefusedFile("planes", f"{axis} from 0 to {sizes.get(axis, 1) - 1}", str(at))
    if layout.images:
        index = layout.images[0].page_of(c, z, t)
    else:
        index = (t * sizes.get("z", 1) + z) * sizes.get("c", 1) + c
    available = layout.stacked or len(layout.pages)
    if index is None or index >= available:
        raise RefusedFile(
            "planes", f"plane c={c} z={z} t={t}", f"{available} planes, this one is not among them"
        )
    return index


def layout_of(
    structure: Structure, pages: list[Directory], cut: Grid, answer: dict[str, Any], findings: Findings,
    name: str, tiff: Any,
) -> Layout:  # fmt: skip
    """Return what the planes are and where; what is known of the file goes into ``answer``.

    Raises:
        RefusedFile: a description beyond the limit.
    """
    first, limit = pages[0], structure.source.limits.description_bytes
    tag = first.tags.get(tw.DESCRIPTION)
    if tag is not None and tag.length > limit:
        raise RefusedFile(
            "limits", f"a description of at most {limit} bytes", f"{tag.length} bytes", first.name
        )
    text = structure.bytes(first, tw.DESCRIPTION, limit)
    plain = Layout("TIFF", pages, {"z": len(pages)}, len(pages), 0, [])
    if len(pages) == 1:
        plain.source = "declared"
    try:
        if _OME.search(text):
            return _ome(structure, pages, cut, text, answer, findings, name)
        if text.lstrip().startswith(b"<MetaData>"):
            plain.declared = vendor.metaseries(text, answer, findings)
            findings.settle("xml", "acceptable XML", "acceptable XML")
            return plain
    except xmlsafe.XmlRefused as error:
        findings.bad(
            "xml",
            "well-formed XML without document type or entities",
            str(error),
            f"{first.name} description",
        )
        uncalibrated(answer, findings, "the file's metadata cannot be read")
        return plain
    if text.startswith(b"ImageJ="):
        return _imagej(structure, pages, cut, answer, findings)
    if tw.UIC1 in first.tags or tw.UIC2 in first.tags:
        return _metamorph(structure, plain, cut, answer, findings, tiff)
    uncalibrated(answer, findings, "the file names no pixel size; dots per inch are no calibration")
    return plain


def _ome(
    structure: Structure, pages: list[Directory], cut: Grid, text: bytes, answer: dict[str, Any],
    findings: Findings, name: str,
) -> Layout:  # fmt: skip
    root = xmlsafe.parse(text)
    findings.settle("xml", "acceptable XML", "acceptable XML")
    images = ome.images(root, findings, name)
    ome.describe(root, answer, findings)
    if not images:
        if "uncalibrated" not in answer and "pixel_size_um" not in answer:
            uncalibrated(answer, findings, "the file's OME metadata is not in the file")
        return Layout("OME-TIFF", pages, {"z": len(pages)}, len(pages), 0, [])
    one = images[0]
    if (one.x, one.y) != (cut.width, cut.length):
        expected = f"{one.x} x {one.y} as the OME metadata says"
        findings.bad("agrees", expected, f"{cut.width} x {cut.length}", pages[0].name)
    kind = _OME_TYPES.get(one.type, one.type)
    if kind and kind not in ("bit", _dtype(structure, pages[0])):
        findings.bad("agrees", f"{kind} as the OME metadata says", _dtype(structure, pages[0]), pages[0].name)
    highest = max(image.last_page() for image in images)
    if highest > len(pages):
        findings.bad("planes", f"page {highest - 1}, which the OME metadata names", f"{len(pages)} pages")
    if len(images) > 1:
        answer["other"]["ome_images"] = str(len(images))
    axes = {"c": one.c, "z": one.z, "t": one.t}
    return Layout("OME-TIFF", pages, axes, sum(image.pages for image in images), 0, images, "declared")


def _imagej(
    structure: Structure, pages: list[Directory], cut: Grid, answer: dict[str, Any], findings: Findings
) -> Layout:
    limit = structure.source.limits.description_bytes
    text = structure.text(pages[0], tw.DESCRIPTION, limit)
    declared, axes = vendor.imagej(structure, pages[0], text, answer, findings)
    if axes["c"] * axes["z"] * axes["t"] != declared:
        axes = {"z": declared}
    alone = len(pages) == 1 and not findings.has("truncated", "structure")
    stacked = declared if alone and declared > 1 and cut.compression == 1 else 0
    return Layout("ImageJ TIFF", pages, axes, declared, stacked, [], "declared")


def _metamorph(
    structure: Structure, plain: Layout, cut: Grid, answer: dict[str, Any], findings: Findings, tiff: Any
) -> Layout:
    first = plain.pages[0]
    try:
        uic = dict(tiff.stk_metadata or {})
    except ERRORS as error:
        findings.bad("vendor", "readable MetaMorph tags", f"{type(error).__name__}: {error}", first.name)
        uncalibrated(answer, findings, "the MetaMorph tags cannot be read")
        return plain
    planes = first.tags[tw.UIC2].count if tw.UIC2 in first.tags else 1
    vendor.metamorph(uic, structure.text(first, tw.DESCRIPTION), answer, findings)
    if len(plain.pages) == 1 and planes > 1 and cut.compression == 1:
        return Layout("TIFF", plain.pages, {"z": planes}, planes, planes, [])
    return plain


def _present(structure: Structure, layout: Layout, cut: Grid) -> int:
    findings, size = structure.findings, structure.source.size
    grids = [(page, segments.grid(structure, page)) for page in layout.pages]
    whole = sum(segments.present(findings, page, own, size) for page, own in grids)
    for page in structure.pages:
        for sub in page.subs:
            segments.present(findings, sub, segments.grid(structure, sub), size)
    if layout.stacked and whole:
        whole = segments.contiguous(findings, cut, layout.stacked, size)
    findings.settle("truncated", "every strip and tile inside the file", "all of them")
    findings.settle("segments", "no empty or short strip or tile", "none")
    return whole


def _planes(layout: Layout, whole: int, findings: Findings) -> None:
    expected, found = (
        f"{counted(layout.declared, 'plane')} as declared",
        f"{counted(whole, 'plane')} in the file",
    )
    if whole < layout.declared:
        findings.bad("planes", expected, found)
    elif whole > layout.declared:
        findings.bad("planes", expected, f"{found}, more than the metadata describes")
    else:
        findings.settle("planes", expected, found)


def _decode(structure: Structure, layout: Layout, tiff: Any) -> None:
    findings = structure.findings
    for page in layout.pages:
        own = segments.grid(structure, page)
        silent = Findings()
        if segments.present(silent, page, own, structure.source.size):
            tiff_page = tiff.pages[structure.pages.index(page)] if own.compression != 1 else None
            segments.decodes(structure, page, own, tiff_page)
    findings.settle("decodes", "every plane decodes", "all of them")


def _dtype(structure: Structure, page: Directory) -> str:
    bits = structure.number(page, tw.BITS, 1)
    kind = _KINDS.get(structure.number(page, tw.SAMPLE_FORMAT, 1), "uint")
    if bits == 1:
        return "bool"
    return f"{kind}{next((size for size in (8, 16, 32, 64, 128) if bits <= size), bits)}"


def _pixels(
    structure: Structure,
    page: Directory,
    cut: Grid,
    layout: Layout,
    answer: dict[str, Any],
    findings: Findings,
) -> None:
    answer["dtype"], answer["bit_depth"], answer["samples"] = _dtype(structure, page), cut.bits, cut.samples
    orientation = structure.number(page, tw.ORIENTATION)
    answer["orientation"] = orientation if 0 <= orientation <= 8 else 0
    if orientation not in (0, 1):
        findings.bad(
            "orientation", "upright pixels", f"orientation {orientation}: recorded, not applied", page.name
        )
    compressions = {structure.number(item, tw.COMPRESSION, 1) for item in layout.pages}
    answer["compression"] = ", ".join(COMPRESSIONS.get(item, str(item)) for item in sorted(compressions))
    answer["lossy"] = not compressions <= LOSSLESS
    if answer["lossy"]:
        findings.bad("lossy", "a lossless compression", answer["compression"])
    else:
        findings.good("lossy", "a lossless compression", answer["compression"])
