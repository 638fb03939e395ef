"""What leaves the system: evidence bundles and files, bit for bit.

Rules kept here: an export is an entry and is made by a person; a bundle is spooled, so that one that fails
has not begun to be sent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from coverslip.application.services import Services
from coverslip.errors import NotFound, Refused
from coverslip.kernel.change import Context
from coverslip.kernel.rows import Row

_BLOCK = 1024**2


@dataclass(frozen=True, slots=True)
class Leaving:
    """Bytes on their way out: how many, and a stream that closes its source at the end."""

    size: int
    chunks: Iterator[bytes]
    name: str
    root: str = ""


def bundle(services: Services, row: Row, context: Context, text_filter: str = "") -> Leaving:
    """Return the evidence bundle of a record and everything it stands on; a filter marks it INCOMPLETE.

    Raises ``AUTH_ROLE`` for what is no person.
    """
    if not context.personal:
        raise Refused("AUTH_ROLE", record=row.number, role="a person", action="export", roles="none")
    return written(f"{row.number}.zip", lambda out: services.exporting.bundle(row, context, text_filter, out))


def written(name: str, write: Callable[[BinaryIO], Any]) -> Leaving:
    """Return what ``write`` writes, whole before any of it is sent."""
    spool = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 -- closed by the stream below
    try:
        write(spool)
        size = spool.tell()
    except BaseException:  # a cancelled request too must not leave the spool open; raised again
        spool.close()
        raise
    spool.seek(0)
    return Leaving(size, _drained(spool), name)


def _drained(spool: BinaryIO) -> Iterator[bytes]:
    with spool:
        while block := spool.read(_BLOCK):
            yield block


def file_of(services: Services, row: Row, name: str) -> Leaving:
    """Return a file that a record names. Raises ``NOT_FOUND``."""
    for value in row.fields.values():
        for item in value if isinstance(value, list) else [value]:
            if _is_file(item, name):
                size, chunks = services.delivery.open(str(item["root"]))
                return Leaving(size, chunks, name, str(item["root"]))
    raise NotFound("NOT_FOUND", what="file", record=f"{row.number}/{name}")


def _is_file(item: Any, name: str) -> bool:
    return isinstance(item, dict) and item.get("name") == name and "root" in item
