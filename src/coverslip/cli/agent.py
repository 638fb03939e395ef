"""The instrument's side: deliver files as a device, once, or watch a folder and deliver what is complete."""

from __future__ import annotations

import contextlib
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli import show
from coverslip.cli.caller import AsJson, Caller, HomeOption, Server
from coverslip.cli.failing import FINDING, tell
from coverslip.cli.files import Paths, report, sizes
from coverslip.cli.outbox import Courier, Outbox, Watch
from coverslip.cli.progress import bytes_bar
from coverslip.client import ApiError, Coverslip, DeviceKey, FaultError, FileFacts, UnreachableError, examine
from coverslip.client.errors import misuse
from coverslip.client.transport import HOME_VARIABLE

app = typer.Typer(no_args_is_help=True, help="For instruments: deliver files as a device, signed.")
Session = Annotated[str, typer.Option(help="Acquisition session the files belong to.")]
Device = Annotated[str, typer.Option(help="Number of the instrument, such as INS-0001.")]
Key = Annotated[Path, typer.Option(help="The device's key file, from 'device keygen'.")]
Log = Annotated[
    str,
    typer.Option(
        envvar="COVERSLIP_LOG", help="Origin of the installation's log; read from --home when left out."
    ),
]
State = Annotated[
    Path | None, typer.Option(help="State file, so that nothing is sent twice; beside the key when left out.")
]
FileTimes = Annotated[
    bool, typer.Option("--file-times", help="Send each file's time of change as the time it was taken.")
]


def _courier(
    server: str, home: Path | None, log: str, state: Path | None, session: str, device: str, key: Path
) -> Courier:
    signing_key = DeviceKey.load(key)
    outbox = Outbox.open(state or key.with_name(f"{key.name}.outbox.json"))
    address = Caller(server, home).address()
    return Courier(Coverslip(address), outbox, device, session, signing_key, log or _origin(home))


def _origin(home: Path | None) -> str:
    """Return the origin named in a home's manifest. Raises ``MisuseError`` where there is none to read."""
    folder = home or (Path(os.environ[HOME_VARIABLE]) if os.environ.get(HOME_VARIABLE) else None)
    if folder is not None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads((folder / "coverslip.json").read_text("utf-8"))["origin"])
    raise misuse("--log", "the origin of the installation's log, or --home of this machine's", "neither")


def _taken_at(facts: FileFacts, wanted: bool) -> str:
    if not wanted:
        return ""
    moment = datetime.fromtimestamp(facts.changed_ns // 1_000_000_000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _deliver(courier: Courier, path: Path, file_times: bool, as_json: bool) -> tuple[dict[str, Any], bool]:
    """Deliver one file; return what became of it and whether that is as it should be."""
    with bytes_bar(path.name, 2 * path.stat().st_size) as advance:
        facts = examine(path, advance)
        try:
            image = courier.deliver(facts, _taken_at(facts, file_times), advance)
        except FaultError:
            raise
        except ApiError as error:
            show.warn(f"{path}:")
            tell(error)
            return {"name": facts.name, "sha256": facts.sha256, "state": "refused", "code": error.code}, False
    if not as_json:
        if image.get("again"):
            show.say(f"{image.get('number', '-')}  {image['state']}  {image['name']}  sent before, not again")
        else:
            report(image)
    return image, image["state"] not in ("quarantined", "refused")


@app.command()
def deliver(
    paths: Paths,
    session: Session,
    device: Device,
    key: Key,
    log: Log = "",
    state: State = None,
    file_times: FileTimes = False,
    server: Server = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Deliver files once each. Exit 1 when one was refused or is in quarantine."""
    sizes(paths)
    courier = _courier(server, home, log, state, session, device, key)
    with courier.client:
        found = [_deliver(courier, path, file_times, as_json) for path in paths]
        courier.close()
    if as_json:
        show.as_json({"images": [image for image, _ in found]})
    if not all(good for _, good in found):
        raise typer.Exit(FINDING)


@app.command()
def watch(
    folder: Annotated[Path, typer.Argument(help="Folder the instrument writes to.")],
    session: Session,
    device: Device,
    key: Key,
    log: Log = "",
    state: State = None,
    match: Annotated[str, typer.Option(help="Names to deliver, such as '*.tif'.")] = "*",
    interval: Annotated[
        float, typer.Option(min=0.05, help="Seconds between two looks; a file is complete when unchanged.")
    ] = 5.0,
    looks: Annotated[int, typer.Option(min=0, help="End after so many looks; 0 goes on until stopped.")] = 0,
    file_times: FileTimes = False,
    server: Server = "",
    home: HomeOption = None,
) -> None:
    """Watch a folder and deliver files once they are complete. An unreachable server is asked again.

    With --looks, exit 1 when a file was refused or is in quarantine, 3 when the server did not answer
    at the last look.
    """
    if not folder.is_dir():
        raise misuse(str(folder), "a folder", "something else or nothing")
    courier = _courier(server, home, log, state, session, device, key)
    watching = Watch(folder, match)
    all_good = True
    count = 0
    with courier.client:
        while True:
            count += 1
            last = bool(looks) and count >= looks
            all_good &= _look(courier, watching, file_times, last)
            if last:
                break
            time.sleep(interval)
        courier.close()
    if not all_good:
        raise typer.Exit(FINDING)


def _look(courier: Courier, watching: Watch, file_times: bool, last: bool) -> bool:
    """Deliver what is complete; return whether everything was as it should be."""
    good = True
    for path in watching.look():
        try:
            good &= _deliver(courier, path, file_times, as_json=False)[1]
        except UnreachableError as error:
            if last:
                raise
            tell(error)
            return good
        watching.done(path)
    return good
