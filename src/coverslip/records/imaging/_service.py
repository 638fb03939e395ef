"""States of an instrument that other records ask for; beside it, because it asks for them too."""

from __future__ import annotations

NOT_IN_USE = ("received", "installed", "out_of_service", "retired")
"""States in which nothing is measured with an instrument, so that it need not be taken out of service."""
