"""The peer of tiles: large_image behind the same web server, in an environment of its own.

    python tileserver.py FILE LOW HIGH        (LOW HIGH of "-" "-": the peer's own way of showing 16 bits)

Prints its port once it listens. ``/tile/LEVEL/X_Y.jpg``: level 0 is full resolution. The file is opened once,
as a server of many tiles does it.
"""

import socket
import sys

import large_image
import uvicorn
from large_image_source_tiff import TiffFileTileSource
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

_, FILE, LOW, HIGH = sys.argv
large_image.config.setConfig("cache_backend", "python")
STYLE = {} if LOW == "-" else {"style": {"min": int(LOW), "max": int(HIGH)}}
SOURCE = TiffFileTileSource(FILE, encoding="JPEG", jpegQuality=85, jpegSubsampling=0, **STYLE)


async def tile(request):
    """Answer one tile."""
    given = request.path_params
    level = SOURCE.levels - 1 - given["level"]
    found = await run_in_threadpool(SOURCE.getTile, given["x"], given["y"], level)
    return Response(bytes(found), media_type="image/jpeg")


if __name__ == "__main__":
    # The protocol is named, so that asyncio sends small answers at once, as ours does.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    application = Starlette(routes=[Route("/tile/{level:int}/{x:int}_{y:int}.jpg", tile)])
    config = uvicorn.Config(application, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])
