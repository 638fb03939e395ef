"""Record types a site declares itself: one file each in the home's ``types`` folder.

Rules kept here:

* A declaration is a program text (its named rules are Python), so it is read only where nobody but this
  account or root can write; anything else is refused and nothing is started.
* A file gives one type, named as the file. It is declared beside the shipped types and passes the same
  load checks; it cannot replace one of them.
* What a declaration says is in force only once its definition is on the ledger, which ``coverslip migrate``
  does, naming who ran it.
"""

from __future__ import annotations

import os
import stat
import sys
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path

from coverslip.errors import EnvironmentFault
from coverslip.kernel.words import Type

_MODULE = "coverslip_site_types"


class _Reading(SourceFileLoader):
    """Reads a file as Python: what runs is what the file says, never a compiled copy beside it."""

    def get_code(self, fullname: str) -> types.CodeType:
        """Compile the text of the file; neither take nor keep a compiled copy."""
        code: types.CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def site_types(folder: Path) -> tuple[Type, ...]:
    """Return the types declared in a folder, by file name; none where there is no such folder.

    Raises ``ENVIRONMENT`` for a file others can write, one that cannot be read, and one without ``TYPE``.
    """
    if not folder.is_dir():
        return ()
    _require_private(folder)
    return tuple(_declared(path) for path in sorted(folder.glob("*.py")) if not path.name.startswith("_"))


def _require_private(path: Path) -> None:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise _fault(path, "a file of this account that nobody else can write", f"mode {found.st_mode:o}")


def _declared(path: Path) -> Type:
    _require_private(path)
    name = f"{_MODULE}.{path.parent.resolve()}.{path.stem}"
    known = sys.modules.get(name)
    loader = _Reading(name, str(path))
    module = known or types.ModuleType(name)
    if known is None:
        module.__file__ = str(path)
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except (ImportError, SyntaxError, NameError, TypeError, ValueError, AttributeError) as error:
            del sys.modules[name]
            raise _fault(path, "a declaration that can be read", str(error)[:200]) from error
    found = getattr(module, "TYPE", None)
    if not isinstance(found, Type):
        raise _fault(path, "TYPE = w.Type(…)", "none")
    if found.name != path.stem:
        raise _fault(path, f"a type named {path.stem}, as the file", f"one named {found.name}")
    return found


def _fault(path: Path, expected: str, found: str) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT",
        what=f"the record type in {path}",
        expected=expected,
        found=found,
        remedy="Correct the file or take it out of the folder.",
    )
