#!/usr/bin/env bash
# Print the first Python >= 3.11 on the path that can build a virtual environment, else say what is missing.
# A name on the path is not enough: version managers leave launchers for versions that are not active.
set -euo pipefail

for name in python3.13 python3.12 python3.11 python3 python; do
    if path="$(command -v "$name")" &&
        "$path" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        echo "$path"
        exit 0
    fi
done

printf '%s\n' >&2 \
    "Coverslip needs Python 3.11 or newer, with its venv module, and found none on the path." \
    "Looked for: python3.13 python3.12 python3.11 python3 python." \
    "On Debian or Ubuntu: apt-get install python3 python3-venv"
exit 1
