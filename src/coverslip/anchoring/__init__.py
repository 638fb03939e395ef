"""Anchors: places outside the database that keep checkpoints, and the witness, which is one."""
