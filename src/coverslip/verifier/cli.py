"""``python3 verify.pyz bundle.zip --keys keys.txt [--anchors DIR] [--tsa-roots PEM] [--json]
[--max-anchor-age-hours N]``.

Exit codes: 0 holds, 1 a finding, 2 wrong usage or untrusted keys, 3 could not be determined.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from coverslip.verifier.certificates import parse_pem
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import UNDETERMINED, USAGE, Report, UsageError
from coverslip.verifier.verify import verify_stream

MAX_KEYS = 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify as the command line asks, print the report and return the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        report = _verify(asked)
    except UsageError as error:
        print(f"verify: {error}", file=sys.stderr)
        return USAGE
    except OSError as error:
        print(f"verify: the bundle could not be read to its end: {error}", file=sys.stderr)
        return UNDETERMINED
    text = report.json() if asked.json else report.text()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
    return report.exit_code


def _verify(asked: argparse.Namespace) -> Report:
    if asked.max_anchor_age_hours is not None and asked.anchors is None:
        raise UsageError("--max-anchor-age-hours needs --anchors")
    trust = Trust.parse(_read(asked.keys, "key list"))
    roots = parse_pem(_read(asked.tsa_roots, "file of roots")) if asked.tsa_roots else []
    try:
        bundle = open(asked.bundle, "rb")  # noqa: SIM115 - closed below, opened apart to tell usage from reading
    except OSError as error:
        raise UsageError(f"the bundle cannot be opened: {error}") from None
    with bundle:
        return verify_stream(
            bundle, trust, name=str(asked.bundle), anchors=asked.anchors, max_age=asked.max_anchor_age_hours,
            tsa_roots=roots,
        )  # fmt: skip


def _read(path: Path, what: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_KEYS + 1)
    except OSError as error:
        raise UsageError(f"the {what} cannot be read: {error}") from None
    if len(data) > MAX_KEYS:
        raise UsageError(f"the {what} is larger than any {what}")
    return data


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="verify.pyz", description="Check an evidence bundle with keys obtained apart from it.",
        epilog="Exit: 0 holds, 1 a finding, 2 wrong usage or untrusted keys, 3 could not be determined.",
    )  # fmt: skip
    parser.add_argument("bundle", type=Path, help="the evidence bundle (ZIP)")
    parser.add_argument("--keys", type=Path, required=True, help="trusted verifier keys, one a line")
    parser.add_argument("--anchors", type=Path, help="folder of checkpoints held independently")
    parser.add_argument(
        "--tsa-roots", type=Path, metavar="PEM", help="root certificates of timestamp authorities you trust"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--max-anchor-age-hours", type=float, metavar="N", help="oldest anchor accepted at export"
    )
    return parser
