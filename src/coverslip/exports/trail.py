"""Field-level rows of the audit trail, for exports and screens.

The rules live in :mod:`coverslip.verifier.rows`, because the verifier writes the same rows again to
compare them; this module is the name the rest of the system uses.
"""

from __future__ import annotations

from coverslip.verifier.rows import (
    ABSENT,
    COLUMNS,
    Row,
    changes,
    csv_head,
    csv_row,
    json_pieces,
    json_row,
    neutral,
    row_value,
)

__all__ = [
    "ABSENT",
    "COLUMNS",
    "Row",
    "changes",
    "csv_head",
    "csv_row",
    "json_pieces",
    "json_row",
    "neutral",
    "row_value",
]
