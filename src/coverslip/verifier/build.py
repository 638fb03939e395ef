"""Builds ``verify.pyz``: ``python -m coverslip.verifier.build OUT``.

Rules kept here:

* The same sources give the same bytes: members sorted, stored, dated 1980-01-01, one fixed mode.
* It holds ``coverslip/verifier`` and ``coverslip/ledger`` and nothing else of the product.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

_SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = b"import sys\n\nfrom coverslip.verifier.cli import main\n\nsys.exit(main())\n"
_ROOT = b'"""Part of the offline verifier."""\n'


def build() -> bytes:
    """Return the bytes of ``verify.pyz``."""
    out = BytesIO()
    out.write(_SHEBANG)
    with ZipFile(out, "a", ZIP_STORED) as archive:
        for name, data in sorted(_members()):
            info = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    return out.getvalue()


def _members() -> Iterator[tuple[str, bytes]]:
    yield "__main__.py", _MAIN
    yield "coverslip/__init__.py", _ROOT
    package = Path(__file__).parent.parent
    for folder in ("ledger", "verifier"):
        for path in (package / folder).rglob("*.py"):
            yield f"coverslip/{path.relative_to(package).as_posix()}", path.read_bytes()


def main(arguments: list[str]) -> int:
    """Write the program and print its SHA-256; 2 on wrong usage."""
    if len(arguments) != 1:
        print("usage: python -m coverslip.verifier.build OUT", file=sys.stderr)
        return 2
    data = build()
    Path(arguments[0]).write_bytes(data)
    print(f"{sha256(data).hexdigest()}  {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
