"""What operator commands share: the home, and the server's parts, imported only when one of them runs.

People's commands work with the base install; an operator command says which extra it needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli import show
from coverslip.cli.failing import HOLDS, UNDETERMINED, findings
from coverslip.client.errors import fault, misuse
from coverslip.errors import EnvironmentFault
from coverslip.settings import read_settings

HomeDir = Annotated[
    Path | None, typer.Option("--home", envvar="COVERSLIP_HOME", help="Folder of the installation.")
]


def bootstrap() -> Any:
    """Return the composition root. Raises ``ENVIRONMENT`` when the server's packages are not installed."""
    try:
        return importlib.import_module("coverslip.bootstrap")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "coverslip":
            raise
        raise fault(
            "This command",
            "the server's packages",
            f"no package '{error.name}'",
            "Install them: pip install 'coverslip[server,imaging]'",
        ) from error


def the_home(home: Path | None) -> Path:
    """Return the installation's folder. Raises ``MisuseError`` when none is named."""
    try:
        return read_settings(home=home).home.root
    except EnvironmentFault as error:
        raise misuse(
            "--home", "the installation's folder, or COVERSLIP_HOME", "neither", error.remedy
        ) from error


def conclude(
    what: str,
    result: tuple[list[dict[str, Any]], dict[str, int]],
    as_json: bool,
    *,
    may_be_empty: bool = False,
    notes: Sequence[str] = (),
    unchecked: Sequence[str] = (),
) -> None:
    """Print what was checked, how much of it, and every finding; leave with the exit code.

    A check that looked at nothing could not be determined, unless ``may_be_empty``: there may be
    nothing to look at, and the check itself compared that with what must be there. Nor could one be
    determined where any count named in ``unchecked`` says that something could not be looked at.
    """
    found, counts = result
    amounts = {name: count for name, count in counts.items() if name != "findings"}
    open_ = [f"{counts[name]} {name.replace('_', ' ')}" for name in unchecked if counts.get(name)]
    code, verdict = findings(found), "holds"
    if code != HOLDS:
        verdict = "findings"
    elif not may_be_empty and not any(amounts.values()):
        code, verdict = UNDETERMINED, "nothing was checked"
    elif open_:
        code, verdict = UNDETERMINED, "could not be determined"
    if as_json:
        more = {"notes": list(notes)} if notes else {}
        show.as_json({"verdict": verdict, "findings": found, "counts": counts} | more)
    else:
        for note in notes:
            show.say(f"ON THE RECORD {note}")
        for finding in found:
            show.say(f"FINDING {_sentence(finding)}")
        for one in open_:
            show.say(f"NOT CHECKED {one}")
        checked = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in amounts.items())
        count = counts.get("findings", len(found))
        show.say(f"{what}: {verdict}; {count} findings; checked {checked or 'nothing'}")
    raise typer.Exit(code)


def _sentence(finding: dict[str, Any]) -> str:
    """Return a finding as it tells itself, else what it is, what it says, and where."""
    if finding.get("sentence"):
        return str(finding["sentence"])
    names = ("entry", "record", "version", "field")
    where = " ".join(f"{name} {finding[name]}" for name in names if finding.get(name) not in (None, ""))
    text = finding.get("message") or f"expected {finding.get('expected')}, found {finding.get('found')}"
    kind = finding.get("what") or finding.get("kind") or "difference"
    return f"{kind}: {text}" + (f" [{where}]" if where else "")
