"""The REST interface: a thin face of the one door, under ``/api/v1``."""
