"""Coverslip: the system of record for regulated microscopy."""

__version__ = "0.1.0"
