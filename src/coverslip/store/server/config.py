"""What the server of a home is told: postgresql.conf, pg_hba.conf, and where its socket is.

Rules kept here:

* Both files are ours alone and are written anew at every start, so that an edit does not last.
* Nothing listens on TCP. Every local login needs SCRAM; what is not allowed is rejected.
* What durability and privacy rest on is given on the command line as well, where neither
  ``ALTER SYSTEM`` nor an included file can take it back.
* No statement, parameter or row value reaches the server's log: they can hold personal data,
  which must stay erasable, or secrets.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from coverslip.errors import EnvironmentFault

PORT = 5432
DATABASE = "coverslip"
SUPERUSER = "cs_superuser"
MARKER = "cluster_name=coverslip"
"""Stands on the command line of every postmaster we start, and tells it from a foreign one."""

SOCKET_PATH_LIMIT = 100
"""Bytes. The system's limit is 108 (Linux) or 104 (BSD) with the closing zero."""

# Not gettempdir(): every process must find it, whatever its TMPDIR. check_socket_folder guards it.
_SHORT_PARENT = Path("/tmp")  # noqa: S108

_FIXED = {
    "listen_addresses": "",
    "port": str(PORT),
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "shared_preload_libraries": "",
}

_TUNED = {
    "max_connections": "100",
    "superuser_reserved_connections": "5",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "ISO, YMD",
    "lc_messages": "C",
    "default_text_search_config": "pg_catalog.simple",
    "logging_collector": "on",
    "log_directory": "../log",
    "log_filename": "postgresql-%d.log",
    "log_file_mode": "0600",
    "log_rotation_age": "1d",
    "log_rotation_size": "50MB",
    "log_truncate_on_rotation": "on",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "restart_after_crash": "on",
}

_HBA = """\
# Written by Coverslip at every start; edits do not last.
# type  database     user           method
local   all          {superuser}   scram-sha-256
local   replication  {superuser}   scram-sha-256
{roles}
local   all          all            reject
local   replication  all            reject
"""


def postgresql_conf(socket_folder: Path) -> str:
    """Return the text of postgresql.conf for a server whose socket is in ``socket_folder``."""
    settings = {**_FIXED, **_TUNED, "unix_socket_directories": str(socket_folder)}
    lines = (f"{name} = '{_quoted(value)}'" for name, value in sorted(settings.items()))
    return "# Written by Coverslip at every start; edits do not last.\n" + "\n".join(lines) + "\n"


def command_line(socket_folder: Path) -> list[str]:
    """Return the settings that neither a file nor ALTER SYSTEM may change, as options."""
    settings = {**_FIXED, "unix_socket_directories": str(socket_folder)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [*options, "-c", MARKER]


def pg_hba_conf(roles: tuple[str, ...]) -> str:
    """Return pg_hba.conf: SCRAM for the superuser and, in our database, for ``roles``."""
    lines = "\n".join(f"local   {DATABASE}    {role:<14} scram-sha-256" for role in roles)
    return _HBA.format(superuser=SUPERUSER, roles=lines)


def socket_folder(home: Path) -> Path:
    """Return the folder of the home's socket, the same for every process.

    ``home`` is resolved. A path too long for a socket is replaced by a folder of the system's
    temporary one, named by the hash of the home and its owner.
    """
    inside = home / "postgres" / "run"
    if len(os.fsencode(socket_file(inside))) <= SOCKET_PATH_LIMIT and "," not in str(inside):
        return inside
    owner = home.stat().st_uid if home.exists() else os.geteuid()
    name = hashlib.sha256(b"%d\0%s" % (owner, os.fsencode(home))).hexdigest()[:20]
    return _SHORT_PARENT / f"coverslip-{name}"


def socket_file(folder: Path) -> Path:
    """Return the socket itself."""
    return folder / f".s.PGSQL.{PORT}"


def check_socket_folder(folder: Path, owners: frozenset[int]) -> None:
    """Refuse a socket folder that belongs to none of ``owners`` or is open to others.

    Only a folder below the shared temporary one can have been made by somebody else. A missing
    one is no fault here: the connection says so.
    """
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    if not private or found.st_uid not in owners:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=f"socket folder {folder}",
            expected="a folder of mode 0700 owned by the account of the database server",
            found=f"owner {found.st_uid}, mode {stat.filemode(found.st_mode)}",
            remedy="Find out who made it and remove it, or use a home with a shorter path.",
        )


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
