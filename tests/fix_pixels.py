"""A server of one image on the wire: what the interface says of pixels, from an array; faults to inject."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from coverslip.client import Coverslip

NUMBER = "IMG-2026-000001"
_REGION = re.compile(r"/api/v1/images/[^/]+/planes/(\d+)/(\d+)/(\d+)/region")
Bend = Callable[[httpx.Response], httpx.Response]


@dataclass
class PixelServer:
    """Serves ``pixels`` (t, c, z, y, x[, s]); ``asked`` lists (t, c, z, x, y, w, h) of every rectangle."""

    pixels: npt.NDArray[Any]
    asked: list[tuple[int, ...]] = field(default_factory=list)
    bend: Bend = lambda response: response
    described: dict[str, Any] = field(default_factory=dict)

    def client(self) -> Coverslip:
        """Return a client whose connection ends here."""
        found = Coverslip("http://127.0.0.1:1", token="t0ken-of-a-test")
        found._transport._http.close()
        found._transport._http = httpx.Client(
            base_url="http://127.0.0.1:1", transport=httpx.MockTransport(self.answer)
        )
        return found

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = request.url.path
        if path.endswith("/pixels"):
            return httpx.Response(200, json=self._description() | self.described)
        if found := _REGION.fullmatch(path):
            return self.bend(self._region(*map(int, found.groups()), request.url.params))
        return httpx.Response(200, json=self._record())

    def _description(self) -> dict[str, Any]:
        shape = dict(zip("tczyx", self.pixels.shape[:5], strict=True))
        return {
            "number": NUMBER,
            "root": "cd" * 32,
            "shape": shape,
            "samples": self.pixels.shape[5] if self.pixels.ndim == 6 else 1,
            "dtype": self.pixels.dtype.name,
            "channels": [{"index": i, "name": f"ch{i}"} for i in range(shape["c"])],
            "pixel_size_um": {"x": "0.325", "y": "0.325"},
            "levels": [{"level": 0, "width": shape["x"], "height": shape["y"], "stored": True}],
        }

    def _region(self, c: int, z: int, t: int, asked: httpx.QueryParams) -> httpx.Response:
        x, y, w, h = (int(asked[name]) for name in "xywh")
        self.asked.append((t, c, z, x, y, w, h))
        plane = self.pixels[t, c, z]
        assert 0 <= x < x + w <= plane.shape[1] and 0 <= y < y + h <= plane.shape[0]
        part = np.ascontiguousarray(plane[y : y + h, x : x + w])
        part = part.astype(part.dtype.newbyteorder("<"), copy=False)
        headers = {
            "Coverslip-Shape": ",".join(map(str, part.shape)),
            "Coverslip-Dtype": self.pixels.dtype.name,
            "Coverslip-Sha256": hashlib.sha256(part.tobytes()).hexdigest(),
            "Content-Type": "application/octet-stream",
        }
        return httpx.Response(200, content=part.tobytes(), headers=headers)

    def _record(self) -> dict[str, Any]:
        return {
            "number": NUMBER,
            "label": NUMBER,
            "type": "image",
            "title": "plane.tif",
            "state": "available",
            "version": 2,
            "leaf_hash": "ab" * 32,
            "fields": {"root": "cd" * 32, "files": [{"name": "plane.tif", "size": 3, "sha256": "0" * 64}]},
        }


def drawn(shape: tuple[int, ...], kind: str, seed: int = 7) -> npt.NDArray[Any]:
    """Return values of every size a type has, from a seed."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    data = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    found = (
        data.view(kind).reshape(shape)
        if kind != "bool"
        else (data[: int(np.prod(shape))] > 127).reshape(shape)
    )
    return np.nan_to_num(found) if found.dtype.kind == "f" else found
