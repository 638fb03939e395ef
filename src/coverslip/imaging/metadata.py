"""What is known of an image file: its metadata, and what was found wrong with it.

Rules kept here:

* Lengths are micrometres, times milliseconds, both as exact decimal text; axes are x, y, z, c, t.
* Nothing is guessed: what the file does not say is empty, and ``uncalibrated`` says why there is no
  pixel size. Resolution in dots per inch is never a calibration.
* What a reader process answers is untrusted: it is checked for shape and size before it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

GIB: Final = 1 << 30
_TEXT_LIMIT: Final = 4000
_LIST_LIMIT: Final = 1000


class AnswerError(ValueError):
    """A reader's answer is not of the promised shape."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader process may use. A file that needs more is refused, not half-read."""

    address_space: int = 4 * GIB
    cpu_seconds: int = 120
    wall_seconds: int = 240
    answer_bytes: int = 8 << 20
    description_bytes: int = 32 << 20
    max_planes: int = 200_000
    max_plane_pixels: int = 1 << 36
    max_segment_bytes: int = GIB
    max_plane_bytes: int = 3 * GIB // 2
    """A whole plane is read into memory only up to this size."""

    @classmethod
    def for_size(cls, size: int) -> Limits:
        """Return limits whose times grow with the file: a second per 16 MiB on top of the default."""
        extra = size >> 24
        return cls(cpu_seconds=120 + extra, wall_seconds=240 + 2 * extra)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it was as it must be, and if not what and where."""

    check: str
    ok: bool
    expected: str
    found: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file no metadata could be read from: what was expected, what found, where."""

    check: str
    expected: str
    found: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Dims:
    """Sizes in pixels and counts. ``planes`` = z * c * t as declared; ``levels`` counts resolutions."""

    x: int
    y: int
    z: int = 1
    c: int = 1
    t: int = 1
    planes: int = 1
    levels: int = 1


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel; empty text where the file does not say. ``emission_nm`` in nanometres."""

    name: str = ""
    emission_nm: str = ""
    exposure_ms: str = ""


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """What one file says of itself, with everything that was checked."""

    format: str
    """TIFF, OME-TIFF, ImageJ TIFF, PNG or JPEG."""
    flavour: str
    """The vendor's dialect where one was recognised, else empty."""
    size_bytes: int
    dims: Dims
    dtype: str
    bit_depth: int
    samples: int
    channels: tuple[Channel, ...]
    axes_source: str
    """``declared``, or ``page order`` where the file does not say what its pages are."""
    compression: str
    lossy: bool
    orientation: int
    """The TIFF/Exif orientation 1 to 8, recorded and never applied; 0 where the file has none."""
    planes_declared: int
    planes_present: int
    reader: str
    reader_version: str
    decoders: Mapping[str, str]
    findings: tuple[Finding, ...]
    pixel_size_um: tuple[str, str] | None = None
    pixel_size_source: str = ""
    uncalibrated: str = ""
    acquired_at: str = ""
    """ISO 8601; without an offset where the file names no time zone."""
    instrument_make: str = ""
    instrument_model: str = ""
    instrument_serial: str = ""
    objective: str = ""
    magnification: str = ""
    numerical_aperture: str = ""
    exposure_ms: str = ""
    software: str = ""
    other: Mapping[str, str] = field(default_factory=dict)

    def failed(self, *checks: str) -> tuple[Finding, ...]:
        """Return the findings that are not ok, of these checks or of all."""
        return tuple(item for item in self.findings if not item.ok and (not checks or item.check in checks))

    def content(self) -> dict[str, Any]:
        """Return the metadata as canonical JSON values; what is empty is left out."""
        value = asdict(self)
        value["channels"] = [_filled(asdict(item)) for item in self.channels]
        value["findings"] = [_filled(asdict(item)) for item in self.findings]
        value["decoders"] = [{"name": name, "version": text} for name, text in sorted(self.decoders.items())]
        value["other"] = [{"name": name, "value": text} for name, text in sorted(self.other.items())]
        if self.pixel_size_um is not None:
            value["pixel_size_um"] = {"x": self.pixel_size_um[0], "y": self.pixel_size_um[1]}
        return _filled(value)

    @classmethod
    def from_answer(cls, value: Any) -> ImageMetadata:
        """Build metadata from a reader's answer. Raises AnswerError unless it is exactly of this shape."""
        given = dict(_mapping(value))
        given["dims"] = Dims(**_typed(given.get("dims"), Dims, int))
        given["channels"] = tuple(
            Channel(**_typed(item, Channel, str)) for item in _list(given.get("channels"))
        )
        given["findings"] = tuple(_finding(item) for item in _list(given.get("findings")))
        size = given.get("pixel_size_um")
        given["pixel_size_um"] = None if size is None else (_text(_list(size)[0]), _text(_list(size)[-1]))
        for name in ("decoders", "other"):
            given[name] = {_text(key): _text(item) for key, item in _mapping(given.get(name, {})).items()}
        for item in fields(cls):
            if item.type in ("int", "str", "bool") and item.name in given:
                kind = {"int": int, "str": str, "bool": bool}[item.type]
                if type(given[item.name]) is not kind:
                    raise AnswerError(f"{item.name} is not {item.type}")
        try:
            return cls(**given)
        except TypeError as error:
            raise AnswerError(str(error)) from error


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it needs it."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def refusal_from_answer(value: Any) -> Refusal:
    """Build a refusal from a reader's answer. Raises AnswerError unless it is of this shape."""
    return Refusal(**_typed(value, Refusal, str))


def _finding(value: Any) -> Finding:
    given = dict(_mapping(value))
    ok = given.pop("ok", None)
    if not isinstance(ok, bool):
        raise AnswerError("a finding without verdict")
    text = {name: _text(item) for name, item in given.items()}
    try:
        return Finding(ok=ok, **text)
    except TypeError as error:
        raise AnswerError(str(error)) from error


def _typed(value: Any, kind: type, member: type) -> dict[str, Any]:
    given = dict(_mapping(value))
    unknown = set(given) - {item.name for item in fields(kind)}
    if unknown or any(type(item) is not member for item in given.values()):
        raise AnswerError(f"not a {kind.__name__}")
    return {name: _text(item) if member is str else item for name, item in given.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict) or len(value) > _LIST_LIMIT:
        raise AnswerError("not a mapping of moderate size")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not len(value) <= _LIST_LIMIT:
        raise AnswerError("not a list of moderate length")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _TEXT_LIMIT:
        raise AnswerError("not a text of moderate length")
    return value


def _filled(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: item for name, item in value.items() if item not in ("", None) and item != [] and item != {}
    }
