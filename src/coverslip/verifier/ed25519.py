"""Ed25519 verification (RFC 8032, section 5.1.7) in pure Python, strict.

Rules kept here:

* Only verification: no secret ever enters this module, so running time may depend on the input.
* One encoding per signature: S below the group order, the public key a canonical, decodable point
  that is not of small order, and R compared as bytes with the canonical encoding of ``S*B - h*A``.
* ``verify`` returns nothing and raises :class:`SignatureError`; a caller cannot forget the result.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = (-121665 * pow(121666, -1, _P)) % _P
_D2 = (2 * _D) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
_BASE = bytes.fromhex("58" + "66" * 31)

_Point = tuple[int, int, int, int]
"""Extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z."""
_Cached = tuple[int, int, int, int]
"""(Y+X, Y-X, 2Z, 2dT): what the addition formula needs of its second operand."""
_IDENTITY: _Point = (0, 1, 1, 0)


class SignatureError(ValueError):
    """A signature does not hold; the message says which rule it breaks."""


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check ``signature`` (64 bytes) by ``public`` (32 bytes) over ``message``.

    Raises SignatureError when a length, an encoding or the equation is wrong.
    """
    if len(public) != 32:
        raise SignatureError(f"an Ed25519 public key has 32 bytes, this one {len(public)}")
    if len(signature) != 64:
        raise SignatureError(f"an Ed25519 signature has 64 bytes, this one {len(signature)}")
    s = int.from_bytes(signature[32:], "little")
    if s >= _L:
        raise SignatureError("the number S of the signature is not reduced")
    table = _negated_table(public)
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    h = int.from_bytes(digest, "little") % _L
    if _encode(_double_multiply(s, _base_table(), h, table)) != signature[:32]:
        raise SignatureError("the signature does not match the key and the message")


def _decode(data: bytes) -> _Point:
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= 2**255 - 1
    if y >= _P:
        raise SignatureError("the public key is not canonically encoded")
    u = (y * y - 1) % _P
    v = (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if (v * x * x - u) % _P:
        x = x * _SQRT_M1 % _P
        if (v * x * x - u) % _P:
            raise SignatureError("the public key is not a point of the curve")
    if x == 0 and sign:
        raise SignatureError("the public key is not canonically encoded")
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


def _encode(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _double(point: _Point) -> _Point:
    x, y, z, _ = point
    a = x * x
    b = y * y
    c = 2 * z * z
    h = a + b
    xy = x + y
    e = h - xy * xy
    g = a - b
    f = c + g
    e %= _P
    g %= _P
    f %= _P
    h %= _P
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _cache(point: _Point) -> _Cached:
    x, y, z, t = point
    return ((y + x) % _P, (y - x) % _P, 2 * z % _P, _D2 * t % _P)


def _add(point: _Point, other: _Cached) -> _Point:
    x, y, z, t = point
    plus, minus, z2, t2 = other
    a = (y - x) * minus
    b = (y + x) * plus
    c = t * t2
    d = z * z2
    e = (b - a) % _P
    f = (d - c) % _P
    g = (d + c) % _P
    h = (b + a) % _P
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _subtract(point: _Point, other: _Cached) -> _Point:
    plus, minus, z2, t2 = other
    return _add(point, (minus, plus, z2, -t2))


def _odd_multiples(point: _Point, count: int) -> list[_Cached]:
    """Return P, 3P, 5P, ... (``count`` of them)."""
    twice = _cache(_double(point))
    table = [point]
    for _ in range(count - 1):
        table.append(_add(table[-1], twice))
    return [_cache(entry) for entry in table]


@lru_cache(maxsize=1)
def _base_table() -> list[_Cached]:
    return _odd_multiples(_decode(_BASE), 64)


@lru_cache(maxsize=256)
def _negated_table(public: bytes) -> list[_Cached]:
    """Odd multiples of -A. Raises SignatureError for a key that is no canonical point or of small order."""
    x, y, z, t = _decode(public)
    eight = _double(_double(_double((x, y, z, t))))
    if eight[0] == 0 and eight[1] == eight[2]:
        raise SignatureError("the public key is a point of small order")
    return _odd_multiples((_P - x, y, z, _P - t), 8)


def _wnaf(number: int, width: int) -> list[int]:
    """Return signed odd digits, least significant first, each below 2**(width-1) in size."""
    digits = []
    full, half = 1 << width, 1 << (width - 1)
    while number:
        if number & 1:
            digit = number & (full - 1)
            if digit >= half:
                digit -= full
            number -= digit
            digits.append(digit)
        else:
            digits.append(0)
        number >>= 1
    return digits


def _apply(total: _Point, digit: int, table: list[_Cached]) -> _Point:
    if digit > 0:
        return _add(total, table[digit >> 1])
    if digit < 0:
        return _subtract(total, table[-digit >> 1])
    return total


def _double_multiply(a: int, table_a: list[_Cached], b: int, table_b: list[_Cached]) -> _Point:
    """Return a*A + b*B; ``table_a`` holds 64 odd multiples, ``table_b`` 8."""
    digits_a, digits_b = _wnaf(a, 8), _wnaf(b, 5)
    length = max(len(digits_a), len(digits_b))
    digits_a += [0] * (length - len(digits_a))
    digits_b += [0] * (length - len(digits_b))
    total = _IDENTITY
    for index in range(length - 1, -1, -1):
        total = _double(total)
        total = _apply(total, digits_a[index], table_a)
        total = _apply(total, digits_b[index], table_b)
    return total
