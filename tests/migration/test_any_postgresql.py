"""The site's own server, of every major version there is here: founded, served, and found to hold."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import fix_story
from coverslip.bootstrap import checking, founding, migrating, moving, recovering, serving, wiring
from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.kernel import keys
from coverslip.settings import Home
from coverslip.store.definitions import told
from coverslip.store.server import SiteServer, site
from coverslip.verifier.cli import main as verify
from fix_majors import installed
from fix_site_server import SECRET, Site

MAJORS = sorted(installed())
CHECKS = (checking.ledger_verify, checking.ledger_replay, checking.vault_check)
SITE = {
    "name": "Site", "code": "STO", "address": "1 Slide Street", "tz": "America/New_York",
    "regulated_as": [{"authority": "fda", "predicate": "drug"}], "system_class": "closed",
    "time_source": "none",
}  # fmt: skip


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="csh-"))
    folder.chmod(0o711)
    yield folder / "home"
    shutil.rmtree(folder)


def found(home: Path, url: str) -> int:
    people = tuple(
        {"username": u, "name": name, "email": f"{u}@story.example", "roles": roles}
        for u, name, roles in fix_story._FOUNDERS
    )
    asked = founding.Founding(fix_story.ORIGIN, "evaluation", SITE, people, database_url=url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_COST", fix_story._CHEAP)
        return founding.init(home, asked, {u: fix_story.secret_of(u) for u, *_ in fix_story._FOUNDERS})


def leftovers(server: Site) -> list[str]:
    """Return what an installation made on a server: roles, schemas, event triggers."""
    with server.connect("coverslip") as conn:
        return [
            str(row[0])
            for row in conn.execute(
                "select rolname from pg_roles where rolname like 'cs\\_%'"
                " union all select nspname from pg_namespace where nspname in ('ledger','ops','projection')"
                " union all select evtname from pg_event_trigger"
                " union all select proname from pg_proc where proname like 'coverslip%'"
            ).fetchall()
        ]


def test_majors_15_to_18_are_tried_as_far_as_they_are_here() -> None:
    assert {16, 18} <= set(MAJORS) <= {15, 16, 17, 18}, "those of the evaluation wheel at least"


@pytest.mark.parametrize("site_server", MAJORS, indirect=True)
def test_the_main_job_is_done_on_a_server_of_the_site(site_server: Site, home: Path) -> None:
    assert found(home, site_server.admin()) > 0
    manifest = json.loads((home / "coverslip.json").read_text("utf-8"))
    assert manifest["postgres_major"] == site_server.major
    assert not (home / "postgres").exists() and not (home / "secrets" / "cs_superuser").exists()
    n = {"bundles": str(home.parent / "bundles")}
    Path(n["bundles"]).mkdir()
    chapters = ("_people", "_procedure", "_acquisition", "_method", "_analysis", "_release", "_export")
    fix_story._played(home, n, *(getattr(fix_story, name) for name in chapters))
    for check in CHECKS:
        findings, counts = check(home)
        assert findings == [] and any(counts.values()), (check.__name__, findings[:3])
    for bundle in Path(home.parent / "bundles").iterdir():
        assert verify([str(bundle), "--keys", str(home / "keys.txt")]) == 0


def test_no_file_of_the_home_names_the_superuser_or_the_secret(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    for path in (p for p in home.rglob("*") if p.is_file()):
        data = path.read_bytes()
        # A word of its own: a random key in hexadecimal may hold the letters.
        assert SECRET.encode() not in data and not re.search(rb"\bdba\b", data), path


def test_it_is_served_without_being_started_or_stopped(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    command = [sys.executable, "-m", "coverslip.cli", "serve", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving_it:
        assert serving_it.stdout is not None
        said = serving_it.stdout.readline()
        serving_it.terminate()
    assert said.startswith("ready: unix:") and serving_it.returncode == 0
    assert site_server.child.poll() is None
    with site_server.connect("coverslip") as conn:
        assert conn.execute("select size > 0 from ledger.tree").fetchone() == (True,)


def test_a_server_that_is_not_there_is_said_and_not_started(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    site_server.child.terminate()
    site_server.child.wait(30)
    with pytest.raises(EnvironmentFault) as caught:
        serving.serve(home, say=lambda _: None, stop=threading.Event())
    assert caught.value.code == "UNAVAILABLE"


def test_another_major_than_the_pinned_one_is_refused_with_the_command(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    manifest = json.loads((home / "coverslip.json").read_text("utf-8"))
    other = manifest["postgres_major"] + 1
    migrating.write_manifest(Home(home), manifest | {"postgres_major": other})
    for act in (
        lambda: serving.serve(home, say=lambda _: None, stop=threading.Event()),
        lambda: checking.ledger_verify(home),
    ):
        with pytest.raises(
            EnvironmentFault, match=f"pinned to.*found PostgreSQL {site_server.major}"
        ) as caught:
            act()
        assert f"coverslip migrate --postgres {site_server.major}" in caught.value.remedy


# --- what is refused -----------------------------------------------------------------------------------


def test_a_failed_founding_leaves_nothing_on_the_server(
    site_server: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(founding, "_keys", fails)
        with pytest.raises(KeyboardInterrupt):
            found(home, site_server.admin())
    assert leftovers(site_server) == [] and not list(home.iterdir())
    assert found(home, site_server.admin()) > 0


def test_a_server_has_room_for_one_installation(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    with site_server.connect() as conn:
        conn.execute("create database other template template0 encoding 'UTF8' locale 'C'")
    before = leftovers(site_server)
    with pytest.raises(EnvironmentFault, match="no other installation on this server"):
        found(home.with_name("second"), site_server.admin("other"))
    with pytest.raises(EnvironmentFault, match="an empty database"):
        found(home.with_name("third"), site_server.admin())
    assert leftovers(site_server) == before and checking.ledger_verify(home)[0] == []


def test_a_login_that_is_no_superuser_is_told_why_it_must_be(site_server: Site, home: Path) -> None:
    with site_server.connect() as conn:
        conn.execute("create role ordinary login createrole password 'the site''s own secret'")
    site_server.passfile.write_text(f"*:*:*:*:{SECRET}\n")
    with pytest.raises(EnvironmentFault, match="event triggers"):
        found(home, site_server.admin().replace("dba@", "ordinary@"))


def test_a_server_that_lets_anybody_in_is_refused(site_server: Site, home: Path) -> None:
    site_server.trust("local all cs_reader trust")
    with pytest.raises(EnvironmentFault, match="let in with a wrong one"):
        found(home, site_server.admin())
    assert leftovers(site_server) == []


def test_a_server_that_lets_our_roles_not_in_is_refused(site_server: Site, home: Path) -> None:
    site_server.trust("local all cs_reader reject")
    with pytest.raises(EnvironmentFault, match="a login of cs_reader"):
        found(home, site_server.admin())
    assert leftovers(site_server) == []


def test_everything_amiss_is_said_at_once(site_server: Site, home: Path) -> None:
    with site_server.connect() as conn:
        conn.execute("create database latin template template0 encoding 'LATIN1' locale 'C'")
        conn.execute("alter database latin set synchronous_commit to off")
        conn.execute("alter system set full_page_writes to off")
        conn.execute("select pg_reload_conf()")
    with site_server.connect("latin") as conn:
        conn.execute("create table stranger(a int)")
    with pytest.raises(EnvironmentFault) as caught:
        found(home, site_server.admin("latin"))
    for said in ("encoding LATIN1", "synchronous_commit = off", "full_page_writes = off", "public.stranger"):
        assert said in caught.value.message


def test_a_sorting_order_of_the_host_is_refused(site_server: Site, home: Path) -> None:
    with site_server.connect() as conn:
        conn.execute("create database sorted template template0 encoding 'UTF8' locale_provider icu"
                     " icu_locale 'en-US' locale 'C'")  # fmt: skip
    with pytest.raises(EnvironmentFault, match="collation C"):
        found(home, site_server.admin("sorted"))


def test_a_durability_that_was_taken_away_later_stops_serving(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    with site_server.connect() as conn:
        conn.execute("alter system set full_page_writes to off")
        conn.execute("select pg_reload_conf()")
    with pytest.raises(EnvironmentFault, match="full_page_writes = on, found full_page_writes = off"):
        serving.serve(home, say=lambda _: None, stop=threading.Event())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://dba:secret@/coverslip?host=/run/x", "no password in it"),
        ("postgresql://dba@db.example.org/coverslip", "sslmode=verify-full"),
        ("postgresql://dba@db.example.org/coverslip?sslmode=require", "sslmode=verify-full"),
        ("postgresql://dba@10.0.0.1/coverslip?sslmode=verify-ca", "sslmode=verify-full"),
        ("postgresql://dba@one,two/coverslip?sslmode=verify-full", "one host"),
        ("postgresql://dba@/?host=/run/x", "no dbname"),
        ("postgresql:///coverslip?host=/run/x", "no user"),
        ("postgresql://dba@/coverslip?host=/run/x&options=-cfsync%3Doff", "options"),
        ("postgresql://dba@/coverslip?hostaddr=10.0.0.1&host=localhost", "hostaddr"),
        ("nonsense", "postgresql://"),
    ],
)
def test_an_address_that_would_not_be_safe_is_refused(url: str, said: str) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        site.parse_address(url)
    assert said in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres:har%bour@localhost/coverslip",
        "postgresql://postgres:harbour@[localhost/coverslip",
        "postgres:harbour@localhost",
        "host=localhost password=walnut harbour user=dba",
        "host=localhost passwd=harbour",
        "postgresql://dba@localhost:harbour/coverslip",
    ],
)
def test_a_mistyped_address_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        site.parse_address(url)
    assert "har" not in caught.value.message and "har" not in str(caught.value.problem())
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["PGHOSTADDR", "PGHOST", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS"])
def test_an_environment_that_leads_elsewhere_is_refused_before_anything_connects(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connects(*_: object, **__: object) -> None:
        raise AssertionError("connected")

    url = "postgresql://dba@localhost/coverslip"
    monkeypatch.setattr(psycopg, "connect", connects)
    monkeypatch.setenv(name, "127.0.0.2")
    with pytest.raises(EnvironmentFault, match=f"found {name} set") as caught, site.superuser(url):
        pass
    assert f"unset {name}" in caught.value.remedy
    with pytest.raises(EnvironmentFault, match=name):
        SiteServer(tmp_path, site.parse_address(url), None).require()


def test_an_environment_that_names_the_password_file_alone_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOSTADDR", "PGHOST", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPASSFILE", "/somewhere/else")
    site.require_plain_environment()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://dba@/coverslip?host=/run/x&port=5433",
        "postgresql://dba@127.0.0.1:5433/coverslip",
        "postgresql://dba@db.example.org/coverslip?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    ],
)
def test_what_is_kept_of_an_address_connects_and_names_no_login(url: str) -> None:
    kept = site.parse_address(url).value()
    assert "user" not in kept and "password" not in kept
    assert site.Address(**kept) == site.parse_address(url)


# --- the operator's commands ---------------------------------------------------------------------------


def test_the_superuser_is_asked_for_again_where_a_migration_needs_one(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    with pytest.raises(EnvironmentFault, match="--database-url"), wiring.migrators(Home(home)):
        pass
    with wiring.migrators(Home(home), site_server.admin()) as (superuser, migrator):
        for dsn in (superuser, migrator):
            psycopg.connect(dsn).close()
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        psycopg.connect(migrator)


def test_the_superuser_of_another_database_is_refused(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    with (
        pytest.raises(EnvironmentFault, match="the database of this home"),
        wiring.migrators(Home(home), site_server.admin("postgres")),
    ):
        pass
    server = wiring.cluster_of(Home(home))
    assert isinstance(server, SiteServer)
    with pytest.raises(EnvironmentFault, match="site's own superuser"):
        server.dsn("cs_superuser")


def test_init_takes_the_address_on_the_command_line(site_server: Site, home: Path, tmp_path: Path) -> None:
    people = [
        {"username": u, "name": name, "email": f"{u}@x.org", "roles": roles}
        for u, name, roles in fix_story._FOUNDERS
    ]
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps(
        {"origin": "site.example/1", "use": "evaluation", "site": SITE, "founders": people}))  # fmt: skip
    given = ["--answers", str(answers), "--database-url", site_server.admin(host="127.0.0.1")]
    for one in people:
        path = tmp_path / str(one["username"])
        path.touch(0o600)
        path.write_text("walnut harbour lantern\n")
        given += ["--password-file", f"{one['username']}={path}"]
    for command in (["init", "--home", str(home), *given], ["ledger", "verify", "--home", str(home)]):
        done = subprocess.run(
            [sys.executable, "-m", "coverslip.cli", *command],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    kept = json.loads((home / "coverslip.json").read_text("utf-8"))["database"]
    assert kept == {"host": "127.0.0.1", "port": str(site_server.port), "dbname": "coverslip"}


def test_a_server_the_site_upgraded_is_checked_and_pinned_anew(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    manifest = json.loads((home / "coverslip.json").read_text("utf-8"))
    earlier = manifest["postgres_major"] - 1  # as before the site upgraded its server
    migrating.write_manifest(Home(home), manifest | {"postgres_major": earlier})
    with pytest.raises(EnvironmentFault, match=f"PostgreSQL {earlier}, found PostgreSQL {site_server.major}"):
        moving.move(home, earlier)
    done = moving.move(home, site_server.major)
    assert (done.moved["from"], done.moved["to"]) == (str(earlier), str(site_server.major))
    assert json.loads((home / "coverslip.json").read_text("utf-8")) == manifest
    assert checking.ledger_verify(home)[0] == []
    with wiring.connection(Home(home), "cs_verifier") as conn:
        assert told(conn).server == str(site_server.major)


def test_an_upgraded_server_whose_evidence_does_not_hold_is_not_pinned(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    manifest = json.loads((home / "coverslip.json").read_text("utf-8"))
    migrating.write_manifest(Home(home), manifest | {"postgres_major": manifest["postgres_major"] - 1})
    with site_server.connect("coverslip") as conn:
        conn.execute("delete from projection.link where ctid in (select ctid from projection.link limit 1)")
    with pytest.raises(EvidenceBroken, match="the upgraded database"):
        moving.move(home, site_server.major)
    kept = json.loads((home / "coverslip.json").read_text("utf-8"))
    assert kept["postgres_major"] == manifest["postgres_major"] - 1


def test_the_site_s_own_roles_are_a_warning_and_no_finding(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    lines = {line["check"]: line for line in checking.doctor(home)}
    other = lines["no other database roles"]
    assert other["state"] == "warning" and other["found"] == "the site's dba"
    assert all(
        lines[name]["ok"] for name in ("schema is as published", "one superuser", "secrets are private")
    )


def test_a_recovery_asks_for_the_superuser_before_anything_is_signed(site_server: Site, home: Path) -> None:
    found(home, site_server.admin())
    journal = (home / "signer" / "journal").read_bytes()
    with pytest.raises(EnvironmentFault, match="--database-url"):
        recovering.recover(home, {"QA": "quinn", "ADM": "ada"}, {}, "Nothing is lost.")
    assert (home / "signer" / "journal").read_bytes() == journal
    with wiring.superuser(Home(home), site_server.admin()) as conn:
        assert conn.execute("select current_user").fetchone() == ("dba",)
