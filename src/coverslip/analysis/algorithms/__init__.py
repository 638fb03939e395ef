"""Bundled algorithms. Each module is plain computation on arrays; nothing here reads files or records."""
