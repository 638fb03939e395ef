"""XML from files, parsed without document types, entities, or anything outside the text itself."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

_MAX_DEPTH: Final = 64
_MAX_ELEMENTS: Final = 2_000_000


class XmlRefused(ValueError):
    """The text is not well-formed, or uses what is not accepted; the message says which."""


class _Builder:
    def __init__(self) -> None:
        self._tree = TreeBuilder()
        self._depth = 0
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > _MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise XmlRefused("it is nested too deeply or has too many elements")
        self._tree.start(_local(name), {_local(key): value for key, value in attributes.items()})

    def end(self, name: str) -> None:
        self._depth -= 1
        self._tree.end(_local(name))

    def data(self, text: str) -> None:
        self._tree.data(text)

    def close(self) -> Element:
        return self._tree.close()


def parse(text: bytes) -> Element:
    """Return the root element; names are without their namespaces.

    Raises:
        XmlRefused: malformed, with a document type or entity declarations, or too deep.
    """
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.UnparsedEntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    try:
        parser.Parse(text.strip(b"\x00\r\n\t "), True)
    except expat.ExpatError as error:
        raise XmlRefused(f"it is not well-formed: {error}") from error
    return builder.close()


def _refuse(*_: object) -> int:
    raise XmlRefused("it has a document type or entity declarations")


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]
