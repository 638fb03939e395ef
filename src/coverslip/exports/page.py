"""The readable page of a bundle; written by the module that the verifier compares it with."""

from __future__ import annotations

from coverslip.verifier.page import pieces

__all__ = ["pieces"]
