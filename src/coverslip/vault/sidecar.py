"""The sidecar of an object: what was known of its bytes when it was stored.

A sidecar is canonical JSON beside the object: format version, encryption (``none``), size, flat
SHA-256, leaf size, root and the 1 MiB nodes of the chunk tree. It is believed only as far as its
nodes fold to the object's name, so a changed sidecar can hide nothing: at worst it is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from coverslip.ledger import canonical
from coverslip.ledger.files import LEAF_SIZE, BlockNodes, FileDigest, FileProofError

_KEYS: Final = {"v", "enc", "alg", "size", "leaf_size", "sha256", "root", "nodes"}


class SidecarError(ValueError):
    """A sidecar is malformed or its nodes do not fold to the root; the message says which."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is kept beside an object. Hashes are raw bytes; ``nodes[i]`` covers bytes i MiB to i+1 MiB."""

    alg: str
    size: int
    leaf_size: int
    sha256: bytes
    root: bytes
    nodes: tuple[bytes, ...]

    @classmethod
    def of(cls, digest: FileDigest) -> Sidecar:
        """Return the sidecar of freshly hashed bytes."""
        nodes = tuple(digest.mib_nodes)
        return cls(digest.alg, digest.size, digest.leaf_size, digest.sha256, digest.root, nodes)

    def encode(self) -> bytes:
        """Return the sidecar file's bytes; the same content always gives the same bytes."""
        return canonical.encode(
            {
                "v": 1,
                "enc": "none",
                "alg": self.alg,
                "size": self.size,
                "leaf_size": self.leaf_size,
                "sha256": self.sha256.hex(),
                "root": self.root.hex(),
                "nodes": [node.hex() for node in self.nodes],
            }
        )

    @classmethod
    def decode(cls, data: bytes, root: bytes) -> Sidecar:
        """Read a sidecar file and hold it against the object's name.

        Raises:
            SidecarError: not a sidecar of this version, or not one of the object ``root``.
        """
        try:
            sidecar = cls._from(canonical.decode(data))
        except (ValueError, KeyError, TypeError) as error:
            raise SidecarError(f"not a sidecar: {error}") from error
        if sidecar.root != root:
            raise SidecarError(f"names root {sidecar.root.hex()}")
        sidecar.checked_nodes()
        return sidecar

    def checked_nodes(self) -> BlockNodes:
        """Return the nodes, ready to verify ranges. Raises SidecarError unless they fold to the root."""
        try:
            return BlockNodes(self.nodes, self.size, self.root)
        except FileProofError as error:
            raise SidecarError(str(error)) from error

    @classmethod
    def _from(cls, value: Any) -> Sidecar:
        if set(value) != _KEYS or value["v"] != 1:
            raise ValueError("unknown version or members")
        if value["enc"] != "none" or value["leaf_size"] != LEAF_SIZE:
            raise ValueError(f"cannot read enc {value['enc']!r} with leaves of {value['leaf_size']!r}")
        if type(value["size"]) is not int or value["size"] < 0:
            raise ValueError("size is not a byte count")
        nodes = tuple(bytes.fromhex(node) for node in value["nodes"])
        sha256, root = bytes.fromhex(value["sha256"]), bytes.fromhex(value["root"])
        return cls(value["alg"], value["size"], value["leaf_size"], sha256, root, nodes)
