"""What leaves the system: evidence bundles, documents and tables."""
