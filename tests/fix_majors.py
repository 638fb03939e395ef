"""Which major versions of PostgreSQL there are here: the system's, and those of the evaluation wheel."""

from __future__ import annotations

from coverslip.store.server.binaries import Binaries, system_folders, version_of, wheel_folders


def installed() -> dict[int, Binaries]:
    """Return one set of programs for every major version found, the system's before the wheel's."""
    found: dict[int, Binaries] = {}
    for folder in wheel_folders():
        version = version_of(folder)
        if version is not None:
            found[version[0]] = Binaries(folder, version, "wheel")
    for folder in system_folders():
        version = version_of(folder)
        if version is not None:
            found[version[0]] = Binaries(folder, version, "system")
    return found


def binaries_of(major: int) -> Binaries:
    """Return the programs of a major version. Fails loudly where there are none."""
    found = installed()
    assert major in found, f"no PostgreSQL {major} here, only {sorted(found)}"
    return found[major]
