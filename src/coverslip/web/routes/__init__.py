"""One module per area of pages; each has a ``router`` that ``web/app.py`` lists."""

from __future__ import annotations
