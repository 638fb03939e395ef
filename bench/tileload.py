"""Clients that ask for tiles over kept connections: ``python -m bench.tileload`` reads its order as JSON.

The order: ``port``, ``clients``, ``headers``, ``paths``. Every path is asked for once, by whichever client is
free. Answers seconds taken and bytes received; an answer other than 200 ends it.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time


def main() -> int:
    """Load as ordered; print what it took."""
    order = json.loads(sys.stdin.readline())
    paths = iter(order["paths"])
    lock, received, failed = threading.Lock(), [0], list[str]()
    ready = threading.Barrier(order["clients"] + 1)
    head = "".join(f"{name}: {value}\r\n" for name, value in order["headers"].items())

    def client() -> None:
        with socket.create_connection(("127.0.0.1", order["port"])) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.wait()
            while not failed:
                with lock:
                    path = next(paths, None)
                if path is None:
                    return
                link.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{order['port']}\r\n{head}\r\n".encode())
                size = _answer(link, failed)
                with lock:
                    received[0] += size

    threads = [threading.Thread(target=client) for _ in range(order["clients"])]
    for thread in threads:
        thread.start()
    ready.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - begin
    print(json.dumps({"seconds": passed, "bytes": received[0], "failed": failed[:1]}))
    return int(bool(failed))


def _answer(link: socket.socket, failed: list[str]) -> int:
    data = b""
    while b"\r\n\r\n" not in data:
        part = link.recv(65536)
        if not part:
            failed.append("the connection ended")
            return 0
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if not lines[0].startswith(b"http/1.1 200"):
        failed.append(data[:300].decode("latin-1"))
        return 0
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
    got = len(body)
    while got < length:
        got += len(link.recv(min(1 << 18, length - got)))
    return length


if __name__ == "__main__":
    sys.exit(main())
