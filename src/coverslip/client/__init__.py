"""The Python client: what scientists import and the command line is made of.

It needs httpx only; calls that return numpy, pandas or zarr need the extra ``science``.
"""

from coverslip.client.connecting import ask_on_terminal
from coverslip.client.coverslip import Coverslip, local_zone, workstation
from coverslip.client.device import DeviceKey
from coverslip.client.errors import (
    ApiError,
    ConflictError,
    EvidenceError,
    FaultError,
    InvalidError,
    MisuseError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from coverslip.client.files import FileFacts, examine
from coverslip.client.found import Hit, Record
from coverslip.client.images import Image, Plane, Verified
from coverslip.client.indexing import OutsideError
from coverslip.client.pixels import Channel, PixelSize
from coverslip.client.runs import Run
from coverslip.client.transport import Address, find_address, parse_address
from coverslip.client.values import Entry, Receipt, Saved, Signature, SignedIn, View

__all__ = [
    "Address",
    "ApiError",
    "Channel",
    "ConflictError",
    "Coverslip",
    "DeviceKey",
    "Entry",
    "EvidenceError",
    "FaultError",
    "FileFacts",
    "Hit",
    "Image",
    "InvalidError",
    "MisuseError",
    "NotFoundError",
    "OutsideError",
    "PixelSize",
    "Plane",
    "Receipt",
    "Record",
    "RefusedError",
    "Run",
    "Saved",
    "Signature",
    "SignedIn",
    "UnreachableError",
    "Verified",
    "View",
    "ask_on_terminal",
    "examine",
    "find_address",
    "local_zone",
    "parse_address",
    "workstation",
]
