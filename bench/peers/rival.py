"""The peer: django-pghistory in its own environment, run by its own interpreter. It imports nothing of ours.

Orders come as arguments; the answer is one line of JSON. Rules kept here: the same nine fields as the
record it is compared with; each save is its own commit; ``context`` adds who and why, as the peer's
documentation says.

    python rival.py prepare|run  HOST PORT USER DATABASE   (password in PGPASSWORD)
    run reads lines "plain SERIES" or "context SERIES" and answers each with commits per second.
"""

import json
import os
import sys
import time

import django
from django.conf import settings

_, ORDER, HOST, PORT, USER, DATABASE = sys.argv
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql", "NAME": DATABASE, "USER": USER, "HOST": HOST,
            "PORT": PORT, "PASSWORD": os.environ["PGPASSWORD"], "CONN_MAX_AGE": None,
        }
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "pgtrigger", "pghistory", "peer"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, SECRET_KEY="measured", DEBUG=False,
)  # fmt: skip
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
django.setup()

import pghistory  # noqa: E402
import pgtrigger  # noqa: E402
from django.apps import apps  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402
from peer.models import Session  # noqa: E402

Version = apps.get_model("peer", "SessionEvent")
FIELDS = {
    "title": "Plate 1", "study": "STU-2026-001", "operator": "USR-0005", "instrument": "INS-0001",
    "method": "SOP-0001 v1", "state": "prepared", "gxp": "gmp", "environment": {}, "not_imaged": "",
}  # fmt: skip


def edit(record, n):
    """Change what the other side changes."""
    record.environment = {"temperature": f"{20 + n}.5", "humidity": "40"}
    record.not_imaged = f"Position {n} was out of focus."
    record.save()


def plain(series):
    """Create and edit ten times, each save its own commit."""
    for _ in range(series):
        record = Session.objects.create(**FIELDS)
        for n in range(10):
            edit(record, n)


def context(series):
    """Do the same with who and why, in a transaction."""
    for _ in range(series):
        with transaction.atomic(), pghistory.context(user=1, reason="As asked for by the reviewer."):
            record = Session.objects.create(**FIELDS)
        for n in range(10):
            with transaction.atomic(), pghistory.context(user=1, reason="As asked for by the reviewer."):
                edit(record, n)


def history(form):
    """Return the versions kept, with or without who and why."""
    return Version.objects.filter(pgh_context__isnull=form == "plain").count()


def main():
    """Do what was ordered."""
    if ORDER == "prepare":
        call_command("migrate", run_syncdb=True, verbosity=0)
        pgtrigger.install()
        return
    print("ready", flush=True)
    for line in sys.stdin:
        form, series = line.split()
        before, commits = history(form), 11 * int(series)
        begin = time.perf_counter()
        {"plain": plain, "context": context}[form](int(series))
        passed = time.perf_counter() - begin
        if history(form) - before != commits:
            sys.exit("the peer did not keep its history")
        print(json.dumps(commits / passed), flush=True)


main()
