"""SNTP: ask a time server how far this host's clock is off (RFC 4330).

Rules kept here:

* An answer counts only if it repeats the random transmit stamp of our question, comes from the address
  asked, and its server says it is synchronised. Anything else is no answer.
* Nothing is set: the clock is measured, never touched.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from coverslip.errors import EnvironmentFault
from coverslip.timekeeping.reading import Reading

PORT: Final = 123
TIMEOUT_S: Final = 2.0
_LENGTH: Final = 48
_EPOCH: Final = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970."""
_ERA: Final = 1 << 32
_CLIENT: Final = (4 << 3) | 3
_SERVER_MODE: Final = 4
_UNSYNCHRONISED: Final = 3
_MAX_DISTANCE_S: Final = 1.0
"""A server this far from its own reference may not vouch for a limit of one second."""


def measure(host: str, port: int, wall_s: Callable[[], float], timeout_s: float = TIMEOUT_S) -> Reading:
    """Return the offset of ``wall_s`` (seconds since 1970) to a server's time.

    The error bound is half the round trip and the server's own distance from its reference. Raises
    ``ENVIRONMENT`` when there is no usable answer in time.
    """
    source = f"{host}:{port}"
    question = secrets.token_bytes(8)
    packet = bytes([_CLIENT]) + bytes(_LENGTH - 9) + question
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as asked:
            asked.settimeout(timeout_s)
            asked.connect(address)
            sent, started = wall_s(), time.monotonic()
            asked.send(packet)
            answer = _await(asked, question, started + timeout_s)
            trip = time.monotonic() - started
    except OSError as error:
        raise _unusable(source, str(error) or type(error).__name__) from error
    received, replied, distance = _judge(source, answer)
    # Our own two moments are taken from one wall reading and a clock that nobody sets.
    offset_s = (sent - received + (sent + trip) - replied) / 2
    error_s = max(0.0, trip - (replied - received)) / 2 + distance
    return Reading("sntp", source, round(offset_s * 1e6), round(error_s * 1e6) + 1)


def _await(asked: socket.socket, question: bytes, until: float) -> bytes:
    """Return the packet that answers our question; others, late or forged, are passed over."""
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer to our question in time")
        asked.settimeout(left)
        data = asked.recv(512)
        if len(data) >= _LENGTH and secrets.compare_digest(data[24:32], question):
            return data


def _judge(source: str, data: bytes) -> tuple[float, float, float]:
    """Return when the server received and replied (seconds since 1970), and its distance in seconds."""
    leap, mode, stratum = data[0] >> 6, data[0] & 7, data[1]
    delay, dispersion = struct.unpack(">iI", data[4:12])
    distance = abs(delay) / 65536 / 2 + dispersion / 65536
    if mode != _SERVER_MODE:
        raise _unusable(source, f"mode {mode} instead of a server's")
    if leap == _UNSYNCHRONISED or not 1 <= stratum <= 15:
        raise _unusable(source, f"a server that is not synchronised (stratum {stratum})")
    if distance > _MAX_DISTANCE_S:
        raise _unusable(source, f"a server {distance:.3f} s from its own reference")
    received, replied = _moment(data[32:40]), _moment(data[40:48])
    if not data[40:48].strip(b"\0") or replied < received:
        raise _unusable(source, "times that are empty or out of order")
    return received, replied, distance


def _moment(stamp: bytes) -> float:
    seconds = int.from_bytes(stamp[:4], "big")
    fraction = int.from_bytes(stamp[4:], "big")
    # The counter wraps in 2036; stamps of its lower half belong to the era after that.
    era = _ERA if seconds < _ERA // 2 else 0
    return float(seconds + era - _EPOCH) + fraction / _ERA


def _unusable(source: str, found: str) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT",
        what=f"the time server {source}",
        expected="a usable answer",
        found=found,
        remedy="See that the server answers and is synchronised, or name another.",
    )
