"""The Python client: what scientists import and the command line is made of. Needs httpx only."""

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
from coverslip.client.transport import Address, find_address, parse_address
from coverslip.client.values import Entry, Receipt, Saved, Signature, SignedIn, View

__all__ = [
    "Address",
    "ApiError",
    "ConflictError",
    "Coverslip",
    "DeviceKey",
    "Entry",
    "EvidenceError",
    "FaultError",
    "FileFacts",
    "InvalidError",
    "MisuseError",
    "NotFoundError",
    "Receipt",
    "RefusedError",
    "Saved",
    "Signature",
    "SignedIn",
    "UnreachableError",
    "View",
    "examine",
    "find_address",
    "local_zone",
    "parse_address",
    "workstation",
]
