"""Taking images in: from a delivery to a registered image, or to quarantine with the reason.

Between the vault, the readers and the one door: each does its part, this package holds the order.
"""

from coverslip.ingest.imports import Imports
from coverslip.ingest.service import Ingest
from coverslip.ingest.unfinished import Unfinished

__all__ = ["Imports", "Ingest", "Unfinished"]
