"""The weeks of the living laboratory, one module per theme; each scene by the people whose work it is."""
