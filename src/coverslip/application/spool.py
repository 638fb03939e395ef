"""Request bodies of any size, spooled to disk beyond a megabyte, bounded, gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.concurrency import run_in_threadpool

from coverslip.errors import EnvironmentFault, Invalid

IN_MEMORY_BYTES = 1024**2


@asynccontextmanager
async def spooled(
    stream: AsyncIterator[bytes], limit_bytes: int
) -> AsyncIterator[tempfile.SpooledTemporaryFile[bytes]]:
    """Yield the whole body as a file at its beginning. Raises ``TOO_LARGE`` beyond the limit."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as body:
        size = 0
        try:
            async for chunk in stream:
                size += len(chunk)
                if size > limit_bytes:
                    raise Invalid(
                        "TOO_LARGE", what="The file", size=f"more than {limit_bytes}", limit=limit_bytes
                    )
                await run_in_threadpool(body.write, chunk)
        except OSError as error:
            raise EnvironmentFault(
                "ENVIRONMENT",
                what="the spool",
                expected="room for the file",
                found=str(error.strerror),
                remedy="Free space on the disk.",
            ) from error
        body.seek(0)
        yield body
