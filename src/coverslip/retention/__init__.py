"""Retention: how long each record must be kept, by which rule, and what is due for disposal."""
