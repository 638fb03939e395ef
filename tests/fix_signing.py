"""Signer and sequencer of an attacked copy, stepped by the test: what waits, waits as long as it should."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coverslip.bootstrap import founding, wiring
from coverslip.store.signer import Signer
from coverslip.store.signer_socket import SignerServer


@contextmanager
def signing(copy: Any) -> Iterator[Any]:
    """Run signer and sequencer of a copy; yield the sequencer's step."""
    signer = Signer(copy.home.signer, wiring.installation(copy.home).origin)
    server = SignerServer(signer, wiring.signer_socket(copy.home)).start()
    sequencer = founding.sequencer_of(copy.home, signer)
    try:
        yield sequencer.step
    finally:
        sequencer.close()
        server.stop()
        signer.close()
