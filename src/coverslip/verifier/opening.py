"""First stage: structure, manifest, its signature, and the hash of every member.

Only findings here decide about trust: exit code 2 is for a bundle that is readable and made with keys
that are not in ``keys.txt``; damage of any kind is a finding.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from coverslip.ledger import note
from coverslip.verifier import manifest as manifests, zipformat, zipread
from coverslip.verifier.keys import Trust
from coverslip.verifier.manifest import EXPORT_SUFFIX, Manifest
from coverslip.verifier.report import BundleError, Report
from coverslip.verifier.zipread import Container, Digest

MAX_NOTE: Final = 1_000_000
REQUIRED: Final = ("checkpoint", "index.html", "leaves.bin", "trail.csv", "trail.json")
OPTIONAL: Final = ("README.txt", "heads.json", "policy.json", "schema-fingerprint", "verify.pyz")
_FOLDERS: Final = re.compile(r"anchors/.+|bodies/[0-9]{8,}\.jsonl|files/[^/]+/.+|records/[^/]+\.json")


@dataclass(frozen=True, slots=True)
class Opened:
    """What later stages work on. ``digests`` are of members whose content is what the manifest says."""

    container: Container
    manifest: Manifest
    digests: dict[str, Digest]


def open_bundle(container: Container, trust: Trust, report: Report) -> Opened | None:
    """Judge structure, manifest and member hashes; None if nothing further can be judged."""
    raw, signed, manifest = _manifest(container, trust, report)
    if report.untrusted:
        return None
    digests = _digests(container, manifest, report) if manifest else {}
    crcs = {name: digest.crc for name, digest in digests.items()}
    if raw is not None and sha256(raw).hexdigest() == signed:
        crcs["manifest.json"] = zlib.crc32(raw)
    layout: list[tuple[str, int]] = []
    if manifest is not None and "manifest.json" in crcs:
        layout = [(name, container.by_name[name].size) for name in zipformat.FIRST]
        layout += [(member.path, member.size) for member in manifest.members]
    broken = list(zipread.differences(container, crcs, layout))
    for sentence in broken:
        report.add("container", sentence)
    if manifest is None:
        return None
    if broken and any(member.path not in container.by_name for member in manifest.members):
        return None
    _members(container, manifest, report)
    if not broken:
        report.holds.append(
            f"The ZIP structure is canonical: {len(container.entries)} members, {container.length} bytes."
        )
    return Opened(container, manifest, digests)


def _manifest(
    container: Container, trust: Trust, report: Report
) -> tuple[bytes | None, str, Manifest | None]:
    """Return the manifest's bytes, the hash that is signed (empty if none holds) and the manifest."""
    raw = manifest = seal = None
    try:
        raw = container.whole("manifest.json", manifests.MAX_SIZE)
        manifest = manifests.parse(raw)
    except BundleError as error:
        report.add("manifest.json", str(error))
    try:
        sealed = container.whole("manifest.sig", MAX_NOTE)
        entry = container.by_name["manifest.sig"]
        if zlib.crc32(sealed) != entry.crc:
            report.add("manifest.sig", "the content does not match its own checksum in the ZIP")
        seal = note.parse(sealed)
    except (BundleError, note.NoteError) as error:
        report.add("manifest.sig", str(error))
    report.untrusted = _untrusted(manifest, seal, trust)
    if report.untrusted:
        return raw, "", None
    signed = _signed(manifest, seal, trust, report) if seal else ""
    if signed and raw is not None and sha256(raw).hexdigest() != signed:
        report.add("manifest.json", f"its SHA-256 is {sha256(raw).hexdigest()}, manifest.sig signs {signed}")
    elif signed and manifest is not None:
        report.holds.append(
            f"The manifest is signed by the export key of {manifest.log} "
            f"({len(manifest.members)} members listed)."
        )
    return raw, signed, manifest


def _untrusted(manifest: Manifest | None, seal: note.Note | None, trust: Trust) -> str:
    """Return why the keys do not suffice to judge, empty if they do."""
    declared = note.VerifierKey.parse(manifest.export_key) if manifest else None
    known = [(one.name, one.key_id) for one in (seal.signatures if seal else ())]
    known += [(declared.name, declared.key_id)] if declared else []
    trusted = [name for name, key_id in known if trust.knows(name, key_id)]
    if declared and seal and not trusted:
        return (
            f"Untrusted keys: the bundle is signed by {declared.name} ({declared.key_id:08x}), "
            f"the key list holds {trust.describe()}."
        )
    if trusted and not any(trust.named(name.removesuffix(EXPORT_SUFFIX)) for name in trusted):
        return f"The key list holds the export key {trusted[0]} but not the key of its log."
    return ""


def _signed(manifest: Manifest | None, seal: note.Note, trust: Trust, report: Report) -> str:
    """Return the manifest hash that a trusted export key signs, empty (with a finding) if there is none."""
    one = seal.signatures[0]
    try:
        if len(seal.signatures) != 1 or not one.name.endswith(EXPORT_SUFFIX):
            raise BundleError("a manifest is signed by one export key")
        note.verify(seal, trust.named(one.name))
        digest = manifests.signed_hash(seal.text)
    except (BundleError, note.NoteError) as error:
        report.add("manifest.sig", str(error))
        return ""
    if manifest is not None:
        key = note.VerifierKey.parse(manifest.export_key)
        if (key.name, key.key_id) != (one.name, one.key_id):
            report.add(
                "manifest.json", f"names the export key {key.key_id:08x}, but {one.key_id:08x} signed it"
            )
    return digest


def _digests(container: Container, manifest: Manifest, report: Report) -> dict[str, Digest]:
    found, files = {}, 0
    for member in manifest.members:
        if member.path not in container.by_name:
            continue
        is_file = member.path.startswith("files/")
        try:
            digest = container.digest(member.path, tree=is_file)
        except BundleError as error:
            report.add(member.path, str(error))
            continue
        if digest.sha256 == member.sha256 and digest.size == member.size:
            found[member.path] = digest
            files += is_file
        else:
            report.add(
                member.path,
                f"the content differs from the manifest: SHA-256 {digest.sha256}, expected {member.sha256}",
            )
    if len(found) == len(manifest.members):
        report.holds.append(
            f"All {len(found)} members have the hashes the manifest names; {files} are original files."
        )
    return found


def _members(container: Container, manifest: Manifest, report: Report) -> None:
    listed = {member.path for member in manifest.members}
    for path in sorted(listed - container.by_name.keys()):
        report.add(path, "the manifest lists this member, but it is missing")
    for path in sorted(container.by_name.keys() - listed - {"manifest.json", "manifest.sig"}):
        report.add(path, "this member is not in the manifest")
    for path in sorted(set(REQUIRED) - listed):
        report.add("manifest.json", f"the member {path} is not listed")
    for path in sorted(listed):
        if path not in REQUIRED and path not in OPTIONAL and not _FOLDERS.fullmatch(path):
            report.add(path, "a bundle has no such member")
