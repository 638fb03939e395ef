"""Runs the offline verifier: ``python -m coverslip.verifier``."""

from __future__ import annotations

import sys

from coverslip.verifier.cli import main

sys.exit(main())
