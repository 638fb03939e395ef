"""``backup``, ``restore`` and its drill, and the certificates they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli import show
from coverslip.cli.bootstrapping import HomeDir, bootstrap, conclude, the_home
from coverslip.cli.caller import AsJson
from coverslip.cli.failing import FINDING, HOLDS
from coverslip.cli.progress import steps
from coverslip.client.errors import misuse


def backup(
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder of backups, best on another machine.")
    ] = None,
    keys_to: Annotated[
        Path | None, typer.Option(help="Folder for keys and secrets; never in or around the target.")
    ] = None,
    set_target: Annotated[
        bool, typer.Option("--set-target", help="Keep these places and back up there each night.")
    ] = False,
    replica: Annotated[
        Path | None, typer.Option(help="With --set-target: another vault to mend damaged objects from.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say what is kept there, and do nothing.")] = False,
    database_url: Annotated[
        str, typer.Option(help="The site's own server: a login that reads every table; not kept.")
    ] = "",
    home: HomeDir = None,
    as_json: AsJson = False,
) -> None:
    """Back up database, stored files and the signer's journal as of one moment, while people go on working.

    Keys go to another place, or are left out. Exit 1 when a stored file was damaged and no good copy is kept.
    """
    parts, root = bootstrap(), the_home(home)
    if list_:
        _show(parts.backups_kept(root, to), as_json, "No complete backup.")
        return
    if set_target:
        kept = parts.backup_places(root, to, keys_to, replica)
        show.as_json(kept) if as_json else show.pairs(kept.items())
        return
    with steps("backing up") as progress:
        made = parts.backup(root, to, keys_to, progress, database_url)
    if as_json:
        show.as_json(_plain(made))
    else:
        show.pairs(
            (name, getattr(made, name))
            for name in ("name", "manifest", "size", "root", "objects", "new_objects", "bytes", "seconds")
        )
        for note in made.notes:
            show.warn(f"Note: {note}.")
        for lack in made.lacks:
            show.say(f"FINDING {lack}")
    raise typer.Exit(FINDING if made.lacks else HOLDS)


def restore(
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder of backups; for a drill, by default the one kept.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="Folder of the keys that were kept apart.")] = None,
    name: Annotated[str, typer.Option("--backup", help="Name of one backup; by default the newest.")] = "",
    drill: Annotated[
        bool, typer.Option("--drill", help="Restore into scratch space and compare with the live system.")
    ] = False,
    scratch: Annotated[Path | None, typer.Option(help="Existing folder with room for a drill.")] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="Checkpoints kept elsewhere: they tell what is lost.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="The lost installation's own signer journal, if it survived.")
    ] = None,
    public_keys: Annotated[
        Path | None, typer.Option(help="A keys.txt handed over apart, which the keys must fit.")
    ] = None,
    home: HomeDir = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into the empty folder --home, or try one with --drill and leave a certificate.

    Exit 0 when everything holds, 1 with each finding or when something signed later is lost, 3 when it could
    not be determined.
    """
    parts, root = bootstrap(), the_home(home)
    if drill:
        with steps("restore drill") as progress:
            done = parts.restore_drill(root, source, name=name, scratch=scratch, progress=progress)
        if not as_json:
            show.pairs((one, getattr(done, one)) for one in ("backup", "manifest", "size", "result"))
            show.say(
                f"no certificate: {done.certificate}" if done.certificate else "certificate: on the ledger"
            )
            if done.record:
                show.say(f"to be reviewed and accepted by two people: {done.record}")
        conclude("restore drill", (done.findings, done.counts), as_json)
    if source is None or keys is None:
        raise misuse("--from and --keys", "a folder of backups and the keys kept apart", "less", "Name both.")
    with steps("restoring") as progress:
        made = parts.restore(
            source, keys, root, name=name, anchors=anchors, journal=journal, public_keys=public_keys,
            progress=progress,
        )  # fmt: skip
    _restored(made, as_json)


def _restored(made: Any, as_json: bool) -> None:
    amiss = bool(made.findings or made.lost or made.recovery)
    if as_json:
        show.as_json(_plain(made))
        raise typer.Exit(FINDING if amiss else HOLDS)
    show.pairs((one, getattr(made, one)) for one in ("backup", "manifest", "size", "root"))
    show.pairs((name, count) for name, count in made.counts.items())
    for step in made.migrated:
        show.say(f"migrated {step}")
    for finding in made.findings:
        show.say(f"FINDING {finding['sentence']}")
    for lost in made.lost:
        show.say(f"LOST {lost}")
    if made.recovery:
        show.say(f"RECOVERY_REQUIRED {made.recovery}")
    for note in made.notes:
        show.warn(f"Note: {note}.")
    show.warn("Note: everybody signs in anew; check who left since the backup before you serve.")
    raise typer.Exit(FINDING if amiss else HOLDS)


def certificates(
    kind: Annotated[
        str, typer.Option(help="'backup' (restores and drills too), 'vault' or 'verification'.")
    ] = "backup",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 20,
    home: HomeDir = None,
    as_json: AsJson = False,
) -> None:
    """List backups, restore drills, reports of re-read files or verifications, as the ledger has them."""
    if kind not in ("backup", "vault", "verification"):
        raise misuse("--kind", "'backup', 'vault' or 'verification'", repr(kind), "Name one of them.")
    _show(bootstrap().certificates(the_home(home), kind)[:limit], as_json, "No certificate.")


def _show(found: list[dict[str, Any]], as_json: bool, none: str) -> None:
    if as_json:
        show.as_json(found)
        return
    lines = []
    for one in found:
        detail = one.get("detail", one)
        said = {key: value for key, value in detail.items() if not isinstance(value, (list, dict))}
        lines.append([one.get("index", ""), one.get("at", ""), one.get("act", ""),
                      ", ".join(f"{key} {value}" for key, value in said.items())])  # fmt: skip
    show.table(("index", "at", "act", "detail"), lines, none)


def _plain(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
