"""Rendering: one Jinja environment, what every template may use, pages and their fragments.

Rules kept here:

* Everything is escaped unless a template of this package made it; nothing a person typed is markup.
* A time is shown in the full form, with the zone of whoever did it, or in the compact form under a heading
  that names UTC.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from markupsafe import Markup

from coverslip import __version__
from coverslip.kernel import roles, sheet
from coverslip.kernel.view import is_link, plain
from coverslip.web import badges, doing, lines, navigation
from coverslip.web.assets import Assets
from coverslip.web.visit import Visit, services_of, serving_of

FOLDER = Path(__file__).parent
_MARKDOWN = MarkdownIt("js-default", {"html": False, "linkify": False}).disable("image")

_UNITS = {"Cel": "°C", "um": "µm", "um2": "µm²", "uL": "µL", "ug": "µg", "us": "µs", "deg": "°", "1": ""}
"""Units as people write them, by the code they are kept under (UCUM)."""
_MOST_BRACKETS = 10_000
"""Beyond them the search for links takes a time that grows with their square."""

_LONGEST_SET = 400_000
"""Characters of a rendering that is set with its tables; a longer one is shown as the text it is."""


@cache
def environment() -> Environment:
    """Return the one environment of templates."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "utc": utc,
        "iso": iso,
        "local": local,
        "thousands": lambda n: f"{n:,}",
        "plain": plain,
        "sheet": as_sheet,
        "any_role": roles.any_of,
        "words": lambda text: str(text).replace("_", " "),
        "markdown": markdown,
        "lines": lines.lines,
        "told": lines.told,
        "unit": lambda code: _UNITS.get(str(code), code),
        "small": small,
        "role": role,
        "changed": changed,
        "was": was,
        "initials": initials,
        "size": size,
        "ref": ref,
    }
    made.tests |= {
        "grid": lambda v: isinstance(v, sheet.Grid),
        "link": lambda v: isinstance(v, dict) and is_link(v),
        "file": is_file,
    }
    made.globals |= {
        "asset": asset,
        "badge": badges.badge,
        "did": doing.did,
        "href": navigation.href,
        "release": __version__,
    }
    return made


@cache
def assets() -> Assets:
    """Return the addresses of static files; raises ENVIRONMENT where none were collected."""
    return Assets()


def asset(name: str) -> str:
    """Return the address of a static file."""
    return assets().url(name)


def page(
    request: Request, visit: Visit | None, name: str, status_code: int = 200, **values: Any
) -> HTMLResponse:
    """Render a whole page, or, for a request that asks for one part of it, the block ``fragment`` names.

    ``values["fragment"]`` names the block that answers a request of htmx; left out, there is none.
    """
    block = values.pop("fragment", "")
    if visit is not None and request.method == "GET" and status_code < 400:
        visit.opened(request.url.path, getattr(request.state, "subject", None))
        request.state.entered = True
    template = environment().get_template(name)
    given = _common(request, visit) | values
    if block and request.headers.get("hx-request") == "true":
        # A block rendered by itself has not gone through its page's head, where the macros are imported.
        macros = environment().get_template("_macros.html").make_module(given)
        given |= {"m": macros, "i": macros.i}  # type: ignore[attr-defined]
        body = "".join(template.blocks[block](template.new_context(given)))
    else:
        body = template.render(given)
    headers = {"Cache-Control": "no-store", "Vary": "HX-Request, Cookie"}
    return HTMLResponse(body, status_code, headers=headers)


def bare_page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a whole page where there is no installation yet, with nothing but the values given."""
    return HTMLResponse(environment().get_template(name).render(values), status)


def _common(request: Request, visit: Visit | None) -> dict[str, Any]:
    services = services_of(request)
    return {
        "request_path": request.url.path,
        "just_done": request.query_params.get("done", ""),
        "visit": visit,
        "installation": services.installation(),
        "now": services.accounts.now(),
        "zone": visit.zone if visit else "UTC",
        "theme": request.cookies.get("theme", ""),
        "secure": serving_of(request).secure,
        "navigation": navigation.groups(services, visit) if visit else [],
        "csrf": visit.csrf if visit else "",
        "nav": "",
        "sandbox": False,
    }


def markdown(text: str) -> Markup:
    """Return a text with its marks as HTML; one made to keep the server busy is shown as it was typed."""
    source = str(text)
    if source.count("[") > _MOST_BRACKETS:
        return Markup("<pre>{}</pre>").format(source)
    return Markup(_MARKDOWN.render(source))  # noqa: S704 -- raw HTML is off


def as_sheet(text: str) -> sheet.Sheet | None:
    """Return what a rendering says, read from that very text; None where it is too long."""
    return sheet.read(text) if len(text) <= _LONGEST_SET else None


def utc(instant: str) -> str:
    """Return an instant as ``2026-11-20 14:32:07``, UTC."""
    return dt.datetime.fromisoformat(instant).astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso(instant: str) -> str:
    """Return an instant as the attribute ``datetime`` wants it."""
    return utc(instant).replace(" ", "T") + "Z"


def local(instant: str, zone: str) -> Sequence[str]:
    """Return the parts of an instant at a workstation: the date where it differs, time with offset, zone."""
    moment = dt.datetime.fromisoformat(instant).astimezone(dt.UTC)
    try:
        there = moment.astimezone(ZoneInfo(zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        there, zone = moment, "UTC"
    offset = there.strftime("%z").replace("-", "−")
    day = [] if there.date() == moment.date() else [there.strftime("%Y-%m-%d")]
    return [*day, f"{there:%H:%M:%S} {offset[:3]}:{offset[3:]}", zone or "UTC"]


_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_PART = re.compile(r"\[(\d+)\]\.?|\.")


def changed(name: str, declared: Mapping[str, Any]) -> str:
    """Return the field of a change under its label: ``Checks, row 1, result``."""
    parts = [part for part in _PART.split(name) if part]
    base, *within = parts or [name]
    label = declared[base].label if base in declared else base.replace("_", " ").capitalize()
    said = [f"row {int(part) + 1}" if part.isdigit() else part.replace("_", " ") for part in within]
    return ", ".join([label, *said])


def was(text: str, name: str, actor: str = "", actor_name: str = "") -> str:
    """Return an old or new value as people read it: times with UTC, states in words."""
    if _INSTANT.fullmatch(text):
        return f"{text[:10]} {text[11:-1]} UTC"
    if name == "state":
        return text.replace("_", " ")
    return actor_name if actor and text == actor and actor_name else text


def role(code: str) -> str:
    """Return a role by its shipped name and its code; what has no such name stands as it is."""
    return f"{roles.TITLES[code]} ({code})" if code in roles.TITLES else roles.title(code)


def small(title: str) -> str:
    """Return a title within a sentence: small, but for what is an abbreviation."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def initials(name: str) -> str:
    """Return the first letters of a person's first and last names."""
    parts = name.split() or ["?"]
    return (parts[0][0] + (parts[-1][0] if len(parts) > 1 else "")).upper()


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    amount, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def is_file(value: Any) -> bool:
    """Return whether a value is a file kept in the vault."""
    return isinstance(value, dict) and {"name", "sha256", "size"} <= value.keys()


def ref(value: Any) -> str:
    """Return how addresses name a record: ``SOP-0012v3``; of a row, a link or its text."""
    if isinstance(value, dict):
        revision = value.get("revision")
        return f"{value['number']}v{revision}" if revision else str(value["number"])
    number, revision = getattr(value, "number", value), getattr(value, "revision", 0)
    return f"{number}v{revision}" if revision else str(number).replace(" ", "")
