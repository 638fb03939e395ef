"""ECDSA over P-256 with SHA-256 (FIPS 186-5), verification only, in pure Python, strict.

Rules kept here:

* Only verification: no secret ever enters this module, so running time may depend on the input.
* A public key is an uncompressed point (65 bytes), a compressed one (33 bytes) or the DER
  SubjectPublicKeyInfo (91 bytes) of an uncompressed one; it must lie on the curve.
* A signature is strict DER (minimal lengths, minimal positive integers, nothing after it) or, by
  :func:`verify_raw`, exactly 64 bytes r || s; both numbers in 1 .. n-1.
* ``verify`` returns nothing and raises :class:`SignatureError`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from coverslip.verifier.ed25519 import SignatureError

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

_Affine = tuple[int, int]
_Jacobian = tuple[int, int, int]
"""(X, Y, Z) with x = X/Z**2, y = Y/Z**3; Z = 0 is the point at infinity."""
_INFINITY: _Jacobian = (1, 1, 0)


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check a DER ``signature`` by ``public`` over ``message``; raise SignatureError if it does not hold."""
    r, s = _parse_der(signature)
    _check(public, message, r, s)


def verify_raw(public: bytes, message: bytes, signature: bytes) -> None:
    """Check a 64-byte ``r || s`` signature; raise SignatureError if it does not hold."""
    if len(signature) != 64:
        raise SignatureError(f"a raw P-256 signature has 64 bytes, this one {len(signature)}")
    _check(public, message, int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def _check(public: bytes, message: bytes, r: int, s: int) -> None:
    if not (1 <= r < _N and 1 <= s < _N):
        raise SignatureError("a number of the signature is out of range")
    table = _key_table(public)
    z = int.from_bytes(hashlib.sha256(message).digest(), "big")
    w = pow(s, -1, _N)
    x, _, zc = _double_multiply(z * w % _N, _base_table(), r * w % _N, table)
    if zc == 0:
        raise SignatureError("the signature does not match the key and the message")
    affine_x = x * pow(zc * zc, -1, _P) % _P
    if affine_x % _N != r:
        raise SignatureError("the signature does not match the key and the message")


def _parse_der(data: bytes) -> tuple[int, int]:
    # Both numbers fit in 33 bytes, so every length is the short form.
    if len(data) < 8 or data[0] != 0x30 or data[1] != len(data) - 2 or len(data) > 72:
        raise SignatureError("the signature is not strict DER")
    r, rest = _parse_integer(data[2:])
    s, rest = _parse_integer(rest)
    if rest:
        raise SignatureError("the signature is not strict DER")
    return r, s


def _parse_integer(data: bytes) -> tuple[int, bytes]:
    if len(data) < 3 or data[0] != 0x02 or not 1 <= data[1] <= 33 or data[1] > len(data) - 2:
        raise SignatureError("the signature is not strict DER")
    body, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    if body[0] & 0x80 or (len(body) > 1 and body[0] == 0 and not body[1] & 0x80):
        raise SignatureError("the signature is not strict DER")
    return int.from_bytes(body, "big"), rest


def _decode_point(public: bytes) -> _Affine:
    if len(public) == 91 and public.startswith(_SPKI):
        public = public[len(_SPKI) :]
    if len(public) == 65 and public[0] == 4:
        x, y = int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big")
        if x >= _P or y >= _P or (y * y - (x * x * x - 3 * x + _B)) % _P:
            raise SignatureError("the public key is not a point of the curve")
        return x, y
    if len(public) == 33 and public[0] in (2, 3):
        x = int.from_bytes(public[1:], "big")
        square = (x * x * x - 3 * x + _B) % _P
        y = pow(square, (_P + 1) // 4, _P)
        if x >= _P or y * y % _P != square:
            raise SignatureError("the public key is not a point of the curve")
        return x, y if y & 1 == public[0] & 1 else _P - y
    raise SignatureError("the public key is not a P-256 point")


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    delta = z * z % _P
    gamma = y * y % _P
    beta = x * gamma % _P
    alpha = 3 * (x - delta) * (x + delta) % _P
    x3 = (alpha * alpha - 8 * beta) % _P
    z3 = 2 * y * z % _P
    return (x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % _P, z3)


def _add(point: _Jacobian, other: _Affine) -> _Jacobian:
    """Add an affine point; handles infinity, equal and opposite points."""
    x1, y1, z1 = point
    x2, y2 = other
    if z1 == 0:
        return (x2, y2, 1)
    zz = z1 * z1 % _P
    h = (x2 * zz - x1) % _P
    r = (y2 * zz * z1 - y1) % _P
    if h == 0:
        return _INFINITY if r else _double(point)
    hh = h * h % _P
    hhh = h * hh % _P
    v = x1 * hh % _P
    x3 = (r * r - hhh - 2 * v) % _P
    return (x3, (r * (v - x3) - y1 * hhh) % _P, z1 * h % _P)


def _affine(point: _Jacobian) -> _Affine:
    x, y, z = point
    inverse = pow(z, -1, _P)
    square = inverse * inverse % _P
    return (x * square % _P, y * square * inverse % _P)


def _odd_multiples(point: _Affine, count: int) -> list[_Affine]:
    """Return P, 3P, 5P, ... (``count`` of them). The order of P is a large prime: none is infinity."""
    twice = _affine(_double((*point, 1)))
    table = [point]
    for _ in range(count - 1):
        table.append(_affine(_add((*table[-1], 1), twice)))
    return table


@lru_cache(maxsize=1)
def _base_table() -> list[_Affine]:
    return _odd_multiples(_G, 64)


@lru_cache(maxsize=256)
def _key_table(public: bytes) -> list[_Affine]:
    return _odd_multiples(_decode_point(public), 8)


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


def _apply(total: _Jacobian, digit: int, table: list[_Affine]) -> _Jacobian:
    if digit > 0:
        return _add(total, table[digit >> 1])
    if digit < 0:
        x, y = table[-digit >> 1]
        return _add(total, (x, _P - y))
    return total


def _double_multiply(a: int, table_a: list[_Affine], b: int, table_b: list[_Affine]) -> _Jacobian:
    """Return a*A + b*B; ``table_a`` holds 64 odd multiples, ``table_b`` 8."""
    digits_a, digits_b = _wnaf(a, 8), _wnaf(b, 5)
    length = max(len(digits_a), len(digits_b))
    digits_a += [0] * (length - len(digits_a))
    digits_b += [0] * (length - len(digits_b))
    total = _INFINITY
    for index in range(length - 1, -1, -1):
        total = _double(total)
        total = _apply(total, digits_a[index], table_a)
        total = _apply(total, digits_b[index], table_b)
    return total
