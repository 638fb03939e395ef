"""Every page there is, in a real browser: it answers, fails nowhere unseen, and everybody can use it.

The addresses come from the application: a page that is added is toured, or this module says why it is none.
Every picture is kept, light and dark, as wide as a desk and as a tablet, under ``COVERSLIP_SHOTS``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest

from coverslip.bootstrap.faces import faces
from coverslip.web import manual
from coverslip.web.app import create_pages
from coverslip.web.serving import Serving
from fix_browser import Browse, Served, accessible, expecting, serving, shot, watch
from fix_lab import TODAY, Lab
from fix_pages import routes
from fix_world import World

NO_PAGES = {
    "/suggest": "a list for an input",
    "/search/quick": "values for a script",
    "/me/counts": "values for a script",
    "/help/notebooks/{name}.ipynb": "a download",
    "/images/{number}/tiles/{level}/{column}_{line}.{format}": "a picture",
    "/images/{number}/picture.{format}": "a picture",
    "/images/{number}/thumbnail.jpg": "a picture",
    "/images/{number}/probe": "values for a script",
    "/images/{number}/histogram.svg": "a picture",
    "/integrity/progress": "values for a script",
    "/integrity/events": "a stream",
    "/integrity/record/{reference}/proof": "a download",
    "/r/{reference}/files/{name}": "a download",
    "/review/{number}/images/{image}": "a picture",
    "/review/{number}/position": "values for a script",
    "/review/{number}/events": "a stream",
    "/": "leads to /work",
    "/r/{reference}": "leads to a page of its own, or is the same as /r/{reference}/record",
    "/locked": "leads on unless the session is locked; its own story opens it",
    "/sign-in/passkey": "for a script",
}
"""Addresses that answer a browser with something else than a page, and what."""
WRITERS = re.compile(r"/new$|/do/|^/series$|^/sandbox$")
"""Pages that ask for something to be written; an inspector may be refused them, in words."""


@pytest.fixture(scope="module")
def served(world: World) -> Iterator[Served]:
    """A laboratory that has a record of every type, at an address."""
    with serving(faces(world.lab.services())) as port:
        yield Served(world.lab, port, Serving().cookie)


@pytest.fixture(scope="module")
def inspector(world: World) -> str:
    """Return the user name of an inspector, let in for a time."""
    lab = world.lab
    later = (TODAY + dt.timedelta(days=30)).isoformat()
    until = {"valid_from": TODAY.isoformat(), "valid_to": later}
    number = lab.ada.create(
        "user", username="iris", printed_name="Iris", kind="inspector", email="iris@x.org", **until
    )
    lab.enrol(number, "iris")
    seen = [{"document_kind": "badge", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(number, "activate", sign=True, identity_check=seen)
    lab.grant(number, "INS", end=later)
    return "iris"


@pytest.fixture(scope="module")
def addresses(world: World, inspector: str) -> dict[str, str]:
    """Return the address of every page by its template, filled in with what there is."""
    lab = world.lab
    run, case = lab.new_review()
    lab.rita.do(case, "start")
    key = lab.workspace().coverage(lab.row(case)).items[0].key
    deviation, sop = world.any("deviation"), f"{lab.n['sop']}v1"
    entry = str(lab.history(run)[0]["entry"])
    filled = {
        "/types/{name}/new": "/types/deviation/new",
        "/types/{name}": "/types/deviation",
        "/r/{reference}/do/{act}": f"/r/{deviation}/do/cancel",
        "/audit/{entry}": f"/audit/{entry}",
        "/capa/{reference}": f"/capa/{world.any('capa')}",
        "/documents/{reference}": f"/documents/{sop}",
        "/documents/{number}/compare": f"/documents/{lab.n['sop']}/compare?from=1&to=1",
        "/training/{reference}/read": f"/training/{world.any('training_record')}/read",
        "/help/types/{name}": "/help/types/deviation",
        "/help/{name}": f"/help/{manual.contents()[0][1][0].name}",
        "/images/{number}": f"/images/{lab.new_image()}",
        "/inspections/opened/{reference}": f"/inspections/opened/{lab.number_of(inspector)}",
        "/inspections/{reference}": f"/inspections/{world.any('audit')}",
        "/integrity/record/{reference}": f"/integrity/record/{run}",
        "/r/{reference}/lineage": f"/r/{run}/lineage",
        "/runs/{reference}": f"/runs/{run}",
        "/search": "/search?q=count",
        "/admin/people/{reference}": f"/admin/people/{lab.number_of('alan')}",
        "/admin/access-review/{reference}": f"/admin/access-review/{world.any('access_review')}",
        "/review/{number}": f"/review/{case}",
        "/review/{number}/items/{key}": f"/review/{case}/items/{key}",
        "/review/{number}/trail": f"/review/{case}/trail",
        "/series": "/series?type=image&act=verify_import",
        "/studies/{reference}": f"/studies/{lab.n['study']}",
    }
    pages = [_template(route.path) for _, route in routes(create_pages(lab.services()), "GET")]
    wanted = [one for one in dict.fromkeys(pages) if one not in NO_PAGES]
    return {one: filled.get(one) or one.replace("{reference}", str(run)) for one in wanted}


def _template(path: str) -> str:
    return re.sub(r":\w+\}", "}", path)


def _name(who: str, template: str) -> str:
    words = re.sub(r"[^a-z]+", "-", template.lower()).strip("-")
    return f"tour-{who}-{words}" if words else f"tour-{who}"


def test_every_address_is_a_page_that_is_toured_or_said_to_be_none(addresses: dict[str, str]) -> None:
    unknown = {template: address for template, address in addresses.items() if "{" in address}
    assert not unknown, f"toured by nobody: {unknown}"
    assert len(addresses) > 40


def test_quality_can_use_every_page_in_both_themes_and_widths(
    browse: Browse, addresses: dict[str, str], world: World
) -> None:
    wrong: list[str] = []
    page = browse("quinn")
    for template, address in addresses.items():
        found = page.goto(address)
        if found is None or found.status != 200:
            wrong.append(f"{address}: {found.status if found else 'nothing'}")
            continue
        try:
            accessible(page)
            shot(page, _name("qa", template))
        except AssertionError as error:
            wrong.append(str(error))
    wrong += watch(page).faults
    watch(page).faults.clear()
    assert not wrong, "\n".join(wrong)


def test_an_inspector_reads_every_page_and_is_offered_no_form_that_writes(
    browse: Browse, addresses: dict[str, str], inspector: str
) -> None:
    wrong: list[str] = []
    page = browse(inspector)
    expecting(page, "answer 403: GET ", "answer 409: GET .*/do/")
    for template, address in addresses.items():
        found = page.goto(address)
        status = found.status if found else 0
        if status != 200 and not (WRITERS.search(template) and status in (403, 409)):
            wrong.append(f"{address}: {status}")
            continue
        try:
            accessible(page, themes=("light",))
        except AssertionError as error:
            wrong.append(str(error))
        if status == 200 and not WRITERS.search(template):
            wrong += [f"{address} offers {one}" for one in _writes(page.content())]
    wrong += watch(page).faults
    watch(page).faults.clear()
    assert not wrong, "\n".join(wrong)


_OWN = re.compile(
    r"^/(sign-in|sign-out|enrol|lock|unlock|switch|me/|work/seen|r/[^/]+/export|integrity/|audit/csv|types/[^/]+/csv)"
)
"""What anybody may send: it concerns their own session, or takes evidence out."""


def _writes(html: str) -> list[str]:
    sent = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', html)
    sent += re.findall(r'<form[^>]*action="([^"]+)"[^>]*method="post"', html)
    return [one for one in sent if not _OWN.match(one)]


def test_a_record_of_every_type_can_be_looked_at_and_made_by_form(browse: Browse, world: World) -> None:
    wrong: list[str] = []
    lab: Lab = world.lab
    open_pages = {"quinn": browse("quinn")}
    expecting(open_pages["quinn"])
    for definition in lab.door.catalogue:
        name = definition.name
        maker = next(world.holders(definition.type.create.who), None)
        tried = [("quinn", f"/r/{lab.row(world.any(name)).label.replace(' ', '')}/record")]
        tried += [(maker.username, f"/types/{name}/new")] if maker is not None else []
        for who, address in tried:
            page = open_pages.get(who) or open_pages.setdefault(who, browse(who))
            found = page.goto(address)
            if found is None or found.status != 200:
                wrong.append(f"{address}: {found.status if found else 'nothing'}")
                continue
            try:
                accessible(page, themes=("light",))
            except AssertionError as error:
                wrong.append(str(error))
            over = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
            if over > 0:
                wrong.append(f"{address} is {over} px too wide")
    for page in open_pages.values():
        wrong += watch(page).faults
        watch(page).faults.clear()
    assert not wrong, "\n".join(wrong)
