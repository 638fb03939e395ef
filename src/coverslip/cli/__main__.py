"""``python -m coverslip.cli``."""

import sys

from coverslip.cli import main

sys.exit(main())
