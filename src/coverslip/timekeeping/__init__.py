"""Timekeeping: how far the clock that dates entries is from a named source (21 CFR 11.10(e))."""
