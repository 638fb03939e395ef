"""``init``: found an installation, from answers typed or from a file. There is no default account.

Rules kept here: every founder's password is typed by that founder without echo, or comes from a file
only its owner can read; what the use is (evaluation or regulated) is asked, because it never changes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli import asking, show
from coverslip.cli.bootstrapping import HomeDir, bootstrap, the_home
from coverslip.cli.fields import split
from coverslip.cli.progress import steps
from coverslip.client.coverslip import local_zone
from coverslip.client.device import read_private
from coverslip.client.errors import misuse
from coverslip.client.secrecy import keep_to_itself

USES = ("evaluation", "regulated")
FOUNDING_ROLES = ("ADM", "QA", "AUT")
_NAMES = {"origin": str, "use": str, "site": dict, "founders": list}


def init(
    home: HomeDir = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            help="JSON: origin, use, zone, time_sources, site, founders [{username, name, email, roles}],"
            " backup {to, keys_to}, anchors [{name, type, target, vkey or roots}]; the last two are needed"
            " where the use is regulated."
        ),
    ] = None,
    database_url: Annotated[
        str,
        typer.Option(
            help="Superuser and empty database on the site's own PostgreSQL 15 to 18, used once and not kept;"
            " its password comes from PGPASSFILE."
        ),
    ] = "",
    password_file: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USERNAME=PATH", help="File (mode 0600) with a founder's password; with --answers."
        ),
    ] = None,
) -> None:
    """Found an installation in an empty folder: database, keys, three founders, the first policy.

    The founders verify each other. At least three are needed, holding ADM, QA and AUT among them.
    """
    root = the_home(home)
    value = _read(answers) if answers else _asked()
    secrets = _secrets(value["founders"], password_file)
    parts = bootstrap()
    founding = parts.Founding(
        origin=value["origin"],
        use=value["use"],
        site=value["site"],
        founders=tuple(value["founders"]),
        zone=value.get("zone", "UTC"),
        time_sources=tuple(value.get("time_sources", ())),
        database_url=database_url,
        backup_to=value.get("backup", {}).get("to", ""),
        keys_to=value.get("backup", {}).get("keys_to", ""),
        anchors=tuple(value.get("anchors", ())),
    )
    with steps("founding") as progress:
        count = parts.init(root, founding, secrets, progress)
    show.say(f"Founded {value['origin']} ({value['use']}) in {root}: {count} entries.")
    if value["use"] == "evaluation":
        show.say("An evaluation installation is not for GxP use and says so on every manifest and report.")
    show.say(f"Public keys for inspectors: {root / 'keys.txt'}. Hand them over apart from any bundle.")
    show.say(f"Next: coverslip serve --home {root}")


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise misuse("--answers", "a readable file", f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise misuse("--answers", "JSON in UTF-8", f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise misuse("--answers", "a JSON object", type(value).__name__)
    for name, kind in _NAMES.items():
        if not isinstance(value.get(name), kind) or not value[name]:
            raise misuse(
                f"--answers: {name}", f"a {kind.__name__} that is not empty", repr(value.get(name))[:40]
            )
    return _checked(value)


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    if value["use"] not in USES:
        raise misuse(
            "use", " or ".join(USES), str(value["use"])[:40], "It is fixed for ever; choose with care."
        )
    sources = value.get("time_sources", [])
    if not isinstance(sources, list) or not all(isinstance(one, str) for one in sources):
        raise misuse("time_sources", 'a list such as ["chrony"]', repr(sources)[:40])
    backup, anchors = value.get("backup", {}), value.get("anchors", [])
    if not isinstance(backup, dict) or not all(isinstance(one, str) for one in backup.values()):
        raise misuse("backup", '{"to": "/folder", "keys_to": "/another"}', repr(backup)[:40])
    if not isinstance(anchors, list) or not all(isinstance(one, dict) for one in anchors):
        raise misuse(
            "anchors", '[{"name": "…", "type": "witness", "target": "https://…", "vkey": "…"}]', "another"
        )
    for founder in value["founders"]:
        wrong = not isinstance(founder, dict) or not {"username", "name", "email", "roles"} <= founder.keys()
        if wrong or not isinstance(founder["roles"], list):
            raise misuse("founders", "username, name, email and a list of roles for each", "something else")
    held = {role for founder in value["founders"] for role in founder["roles"]}
    missing = [role for role in FOUNDING_ROLES if role not in held]
    if len({f["username"] for f in value["founders"]}) < 3 or missing:
        raise misuse(
            "founders",
            "at least three people, holding ADM, QA and AUT among them",
            f"{len(value['founders'])} founders, without {', '.join(missing) or 'nothing'}",
        )
    return value


def _asked() -> dict[str, Any]:
    if not sys.stdin.isatty():
        raise misuse("init", "--answers FILE, or a terminal to ask on", "neither")
    show.say("An installation is founded once. What you answer here is recorded and cannot be undone.")
    value: dict[str, Any] = {
        "origin": asking.line("Origin of the log, such as lab.example.org/coverslip"),
        "use": asking.line("Use, evaluation or regulated (fixed for ever)"),
        "zone": asking.line("Time zone (IANA)", default=local_zone()),
    }
    named = asking.line("Time sources: chrony, sntp:HOST, … or none", default="none")
    value["time_sources"] = [one.strip() for one in named.split(",") if one.strip() not in ("", "none")]
    value["site"] = {
        "name": asking.line("Site: name"),
        "code": asking.line("Site: code, 2 to 4 capitals"),
        "address": asking.line("Site: address"),
        "tz": value["zone"],
        "time_source": asking.line("Site: time source, such as chrony with 3 servers"),
        "regulated_as": [
            {
                "authority": asking.line("Regulated by (fda, eu, other)"),
                "predicate": asking.line(
                    "Regulated as (drug, device, biologic, glp_lab, clinical_lab, other)"
                ),
            }
        ],
    }
    backup_to = asking.line("Folder for backups, or none", default="none")
    if backup_to != "none":
        keys_to = asking.line("Folder for keys, apart from the backups, or none", default="none")
        value["backup"] = {"to": backup_to} | ({"keys_to": keys_to} if keys_to != "none" else {})
    value["anchors"] = _anchors()
    value["founders"] = [
        _founder(n) for n in range(1, int(asking.line("How many founders (at least 3)", default="3")) + 1)
    ]
    return _checked(value)


def _anchors() -> list[dict[str, str]]:
    kind = asking.line("Anchor off this machine: witness, rfc3161, file or none", default="none")
    if kind == "none":
        return []
    found = {"name": "first", "type": kind, "target": asking.line("Anchor: https address, or file")}
    if kind == "witness":
        found["vkey"] = asking.line("Anchor: the witness's verifier key")
    elif kind == "rfc3161":
        found["roots"] = asking.line("Anchor: file with the authority's root certificates")
    return [found]


def _founder(position: int) -> dict[str, Any]:
    who = f"Founder {position}"
    return {
        "username": asking.line(f"{who}: user name"),
        "name": asking.line(f"{who}: printed name"),
        "email": asking.line(f"{who}: e-mail"),
        "roles": [
            r.strip().upper()
            for r in asking.line(f"{who}: roles, such as ADM or QA,QAL").split(",")
            if r.strip()
        ],
    }


def _secrets(founders: list[dict[str, Any]], given: list[str] | None) -> dict[str, str]:
    """Return each founder's password. Raises ``MisuseError`` for a founder or file that is missing."""
    keep_to_itself()
    files = dict(split(text, "--password-file") for text in given or ())
    unknown = sorted(files.keys() - {str(f["username"]) for f in founders})
    if unknown:
        raise misuse("--password-file", "a founder's user name", unknown[0])
    found = {}
    for founder in founders:
        name = str(founder["username"])
        if name in files:
            found[name] = _first_line(Path(files[name]))
        else:
            show.say(f"{founder['name']}, type your password; the others look away.")
            found[name] = asking.password(f"Password of {name}", confirm=True)
    return found


def _first_line(path: Path) -> str:
    lines = read_private(path, "a password file").splitlines()
    if not lines:
        raise misuse(str(path), "a password", "an empty file")
    return lines[0]
