"""The peer's application: one model under history."""
