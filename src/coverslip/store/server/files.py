"""Private files and folders of a home.

Rules kept here:

* A secret is 0600 in a 0700 folder and is written once, complete or not at all.
* Nothing here follows a symbolic link at the last part of a path: folders may belong to a less
  privileged account than the one writing.
"""

from __future__ import annotations

import os
import secrets as _random
import stat
from pathlib import Path

from coverslip.errors import EnvironmentFault

SECRET_BYTES = 32


def private_folder(path: Path, uid: int, gid: int, mode: int = 0o700) -> None:
    """Make ``path`` a folder of this owner and mode; a present one is corrected if we may.

    Raises EnvironmentFault when something else than a folder is there, or it belongs to another
    account and we may not change that.
    """
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        pass
    except OSError as error:
        raise _unusable(path, "a folder that can be made", str(error)) from error
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise _unusable(path, "a folder", "something else of that name")
    try:
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.chown(path, uid, gid, follow_symlinks=False)
        if stat.S_IMODE(found.st_mode) != mode:
            os.chmod(path, mode)
    except PermissionError as error:
        raise _unusable(path, f"owner {uid}", f"owner {found.st_uid}") from error


def own_tree(top: Path, uid: int, gid: int) -> None:
    """Give ``top`` and all below to this owner, unless it already is the owner's.

    The top goes last, so that an interrupted run is seen and repeated.
    """
    found = os.lstat(top)
    if (found.st_uid, found.st_gid) == (uid, gid):
        return
    for folder, names, others in os.walk(top, topdown=False):
        for name in (*names, *others):
            os.chown(os.path.join(folder, name), uid, gid, follow_symlinks=False)
    os.chown(top, uid, gid, follow_symlinks=False)


def write_private(path: Path, content: str, uid: int, gid: int, mode: int = 0o600) -> None:
    """Replace ``path`` atomically and durably with ``content`` under this owner and mode."""
    draft = path.with_name(f".{path.name}.{_random.token_hex(6)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            _own_open(out.fileno(), uid, gid)
            os.fchmod(out.fileno(), mode)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, path)
    except BaseException:  # whatever stopped the write, no draft stays; raised again
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames in ``path`` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def ensure_secret(path: Path, uid: int, gid: int) -> str:
    """Return the secret kept in ``path``; make a random one first if there is none."""
    if not path.exists():
        write_private(path, _random.token_hex(SECRET_BYTES) + "\n", uid, gid)
    return read_secret(path)


def read_secret(path: Path) -> str:
    """Return the secret in ``path``.

    Raises EnvironmentFault when it is missing, unreadable for this account, empty, or open to
    other accounts.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise _unusable(path, "a secret this account may read", str(error.strerror)) from error
    with os.fdopen(handle, encoding="ascii") as source:
        mode = stat.S_IMODE(os.fstat(source.fileno()).st_mode)
        if mode & 0o077:
            remedy = f"Run 'chmod 0600 {path}', and renew the secret."
            raise _unusable(path, "mode 0600", f"mode {mode:04o}", remedy)
        value = source.read().strip()
    if not value:
        raise _unusable(path, "a secret", "an empty file")
    return value


def _own_open(handle: int, uid: int, gid: int) -> None:
    found = os.fstat(handle)
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.fchown(handle, uid, gid)


def _unusable(path: Path, expected: str, found: str, remedy: str = "") -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT",
        what=str(path),
        expected=expected,
        found=found,
        remedy=remedy or "Run as the account that owns the home, or correct the owner of this path.",
    )
