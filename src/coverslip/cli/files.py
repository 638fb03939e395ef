"""Files in and bundles out: ``ingest`` and ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli import asking, show
from coverslip.cli.caller import Caller, calls
from coverslip.cli.failing import FINDING, tell
from coverslip.cli.progress import bytes_bar
from coverslip.client import ApiError, FaultError, FileFacts, examine
from coverslip.client.errors import misuse

Paths = Annotated[list[Path], typer.Argument(help="Files to deliver, in order.")]


def sizes(paths: list[Path]) -> int:
    """Return the bytes of all files. Raises ``MisuseError`` naming the first that is no file."""
    for path in paths:
        if not path.is_file():
            raise misuse(str(path), "a file", "a folder" if path.is_dir() else "nothing there")
    return sum(path.stat().st_size for path in paths)


def report(image: dict[str, Any]) -> None:
    """Print what became of one file; why it is in quarantine goes to stderr."""
    show.say(
        f"{image['number']}  {image['state']}  {image.get('name', '')}  sha256 {image.get('sha256', '')}"
    )
    for sentence in image.get("why", ()):
        show.warn(f"  {sentence}")


@calls
def ingest(
    caller: Caller,
    paths: Paths,
    session: Annotated[str, typer.Option(help="Acquisition session the files belong to.")] = "",
    manual: Annotated[
        bool, typer.Option("--manual", help="Import by hand into a study, without a session.")
    ] = False,
    study: Annotated[str, typer.Option(help="Study of a manual import.")] = "",
    reason: Annotated[str, typer.Option(help="Why the files are brought in by a person.")] = "",
    taken_at: Annotated[str, typer.Option(help="Instrument time, UTC: YYYY-MM-DDTHH:MM:SSZ.")] = "",
) -> None:
    """Bring files in by hand. Each becomes an image with its checks; a second person verifies it.

    Devices deliver with 'coverslip agent deliver' instead. Exit 1 when a file was refused or is in
    quarantine; the other files are brought in all the same.
    """
    if bool(session) == bool(manual) or manual != bool(study):
        raise misuse("ingest", "either --session ACQ, or --manual with --study STU", "another combination")
    total = sizes(paths)
    why = asking.line("Reason", reason)
    images: list[dict[str, Any]] = []
    bad = 0
    with bytes_bar("delivering", 2 * total) as advance:
        for sequence, path in enumerate(paths, 1):
            try:
                facts: FileFacts = examine(path, advance)
                images.append(
                    caller.client().ingest(
                        session or study,
                        facts,
                        sequence=sequence,
                        reason=why,
                        taken_at=taken_at,
                        progress=advance,
                    )
                )
            except FaultError:
                raise
            except ApiError as error:
                show.warn(f"{path}:")
                tell(error)
                bad += 1
    if caller.json:
        show.as_json({"images": images, "refused": bad})
    else:
        for image in images:
            report(image)
        show.say(f"{len(images)} of {len(paths)} files registered or in quarantine, {bad} refused")
    if bad or any(image["state"] == "quarantined" for image in images):
        raise typer.Exit(FINDING)


@calls
def export(
    caller: Caller,
    number: Annotated[str, typer.Argument(help="The record's number.")],
    out: Annotated[
        Path, typer.Option(help="File to write the bundle to; an existing one is never replaced.")
    ],
    filter: Annotated[
        str, typer.Option(help="Only what holds this text; the copy is marked INCOMPLETE.")
    ] = "",
) -> None:
    """Write the evidence bundle of a record and everything it stands on. The export is recorded."""
    with bytes_bar(out.name, None) as advance:
        saved = caller.client().export(number, out, text_filter=filter, progress=advance)
    if caller.json:
        show.as_json({"path": saved.path, "size": saved.size, "sha256": saved.sha256})
        return
    show.say(f"{saved.path}  {saved.size} bytes  sha256 {saved.sha256}")
    show.say("Check it with: coverslip verify BUNDLE --keys KEYS, with keys obtained apart from it.")


def add(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(ingest)
    app.command()(export)
