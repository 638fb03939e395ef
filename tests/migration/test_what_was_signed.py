"""What was signed in the first release, under the first rendering, can still be shown as it was."""

from __future__ import annotations

import fix_story
from coverslip.kernel.history import manifests
from fix_old_home import OldHome


def test_a_signature_of_the_first_release_leads_to_the_text_its_signer_read(upgraded: OldHome) -> None:
    found = {}
    with fix_story.opened(upgraded.root) as lab:
        services = lab.services()
        for number in set(upgraded.n.values()):
            row = services.reading.find(number)
            for one in manifests(services.reading.history(row.uid)) if row is not None else ():
                shown = services.past.signed(row, one["version"])
                if shown["base"]:
                    found[number, one["version"]] = shown
    assert len(found) > 20
    assert {key for key, shown in found.items() if shown["rendering"] != 1} == set()
    for shown in found.values():
        assert f" · version {shown['base']} · state " in shown["text"]
