"""Keeping a session between commands: a token in a file only its owner can read, never a password.

Rules kept here: one file per person who works in this shell (``--as NAME`` or ``COVERSLIP_AS``); a file
others can read is refused, not used; a token is sent only to the server that issued it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from coverslip.client.errors import misuse
from coverslip.client.values import SignedIn

FILE_VARIABLE = "COVERSLIP_SESSION"
AS_VARIABLE = "COVERSLIP_AS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A session as it is kept: which server, whose, until when, and its secret token."""

    server: str
    username: str
    name: str
    expires_at: str
    token: str = field(repr=False)


def session_file(who: str = "", environment: Mapping[str, str] | None = None) -> Path:
    """Return the file of a person's session: ``COVERSLIP_SESSION`` or the user's configuration folder.

    Raises ``MisuseError`` for a name that would not be a plain part of a file name.
    """
    given = os.environ if environment is None else environment
    folder = Path(given.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "coverslip"
    path = Path(given[FILE_VARIABLE]).expanduser() if given.get(FILE_VARIABLE) else folder / "session.json"
    name = who or given.get(AS_VARIABLE, "")
    if not name:
        return path
    if not _NAME.fullmatch(name):
        raise misuse("--as", "letters, digits and . _ @ -", name)
    return path.with_name(f"{path.stem}-{name}{path.suffix}")


def keep(path: Path, server: str, opened: SignedIn) -> None:
    """Write a session's file, mode 0600, in one step."""
    value = Kept(server, opened.username, opened.name, opened.expires_at, opened.token)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(asdict(value), out)
        Path(name).replace(path)
    except OSError as error:
        raise misuse(str(path), "a file that can be written", error.strerror or "an error") from error


def kept(path: Path) -> Kept | None:
    """Return the session kept in a file; ``None`` when there is none.

    Raises ``MisuseError`` when the file is open to others, or holds something else.
    """
    try:
        found = path.stat()
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise misuse(str(path), "a session's file", type(error).__name__) from error
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.getuid():
        raise misuse(
            str(path),
            "a file of mode 0600 that is yours",
            f"mode {stat.S_IMODE(found.st_mode):04o}",
            "Others may have read the token: sign out everywhere, delete the file, sign in again.",
        )
    try:
        return Kept(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise misuse(
            str(path), "a session's file", "something else", "Delete it and sign in again."
        ) from error


def forget(path: Path) -> None:
    """Remove a session's file."""
    path.unlink(missing_ok=True)
