"""The port through which pages and interface see images: described, shown in tiles, and in native values.

Rules kept here:

* Who may read the record may see its image; nobody else. An image in quarantine is shown as such.
* A region is native values exactly as stored; a tile, a thumbnail or a picture is for showing only.
* Opening a viewer is one entry (``viewing.open_image``); its tiles are none.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from coverslip.errors import EnvironmentFault
from coverslip.imaging.display import Display, Picture, Region
from coverslip.kernel.rows import Row


class Pictures(Protocol):
    """Seeing images. Every method takes the record; all raise ``NOT_FOUND`` where it has no pixels.

    ``ENVIRONMENT`` names a file that cannot be read; ``HASH`` bytes that are not the ones stored;
    ``VAL_RANGE`` a plane, tile or pixel that is not there.
    """

    def describe(self, row: Row) -> dict[str, Any]:
        """Return ``shape`` by axis, ``dtype``, ``channels``, ``levels``, ``tile`` and what is calibrated."""
        ...

    def tag(self, row: Row, display: Display, *where: int | str) -> str:
        """Return the tag of a rendering without making it."""
        ...

    def tile(self, row: Row, display: Display, level: int, column: int, line: int) -> Picture:
        """Return one tile: ``level`` 0 is full resolution, each next one half of it."""
        ...

    def whole(self, row: Row, display: Display, size: int) -> Picture:
        """Return the whole plane, at most ``size`` pixels wide and high."""
        ...

    def thumbnail(self, row: Row, size: int) -> Picture:
        """Return the whole first plane with the default settings."""
        ...

    def region(self, row: Row, c: int, z: int, t: int, box: tuple[int, int, int, int]) -> Region:
        """Return native values of ``box`` = (x, y, width, height) at full resolution."""
        ...

    def probe(self, row: Row, x: int, y: int, z: int, t: int) -> dict[str, Any]:
        """Return the native value of every channel at one pixel."""
        ...

    def histogram(self, row: Row, c: int, z: int, t: int) -> dict[str, Any]:
        """Return counts of native values of a plane, its extremes and the window it is first shown in."""
        ...

    def default(self, row: Row, z: int = 0, t: int = 0) -> Display:
        """Return the settings an image is first shown with."""
        ...


class _Absent:
    """Stands where an installation shows no images: every question raises ``ENVIRONMENT``."""

    def __getattr__(self, name: str) -> Any:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what="showing images",
            expected="readers of images",
            found="none",
            remedy="Open the image where the laboratory is served.",
        )


def no_pictures() -> Pictures:
    """Return what refuses every question."""
    return cast("Pictures", _Absent())
