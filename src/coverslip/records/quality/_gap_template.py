"""The clauses that a gap assessment goes through: Part 11, Annex 11 and the ALCOA+ attributes.

Rules kept here: every clause once, in the order of the text; the words are this product's, in short.
"""

from __future__ import annotations

PART_11 = (
    ("11.10(a)", "The system is validated; altered and invalid records are discerned."),
    ("11.10(b)", "Accurate and complete copies, readable by people and machines."),
    ("11.10(c)", "Records are protected and can be retrieved throughout their retention."),
    ("11.10(d)", "Access is limited to authorised people."),
    ("11.10(e)", "Secure, computer-generated, time-stamped audit trail that obscures nothing."),
    ("11.10(f)", "Operational checks enforce the permitted sequence of steps."),
    ("11.10(g)", "Authority checks on use, signing, devices, altering and performing."),
    ("11.10(h)", "Device checks on the source of data and commands."),
    ("11.10(i)", "People who develop, maintain and use the system are trained."),
    ("11.10(j)", "Written policies hold people accountable for their signatures."),
    ("11.10(k)", "System documentation is controlled, its changes in a time-sequenced trail."),
    ("11.30", "Open systems: encryption and digital signatures where needed."),
    ("11.50(a)", "Signed records show printed name, date and time, and meaning."),
    ("11.50(b)", "These are controlled as records and part of any readable form."),
    ("11.70", "Signatures are linked to their records and cannot be moved."),
    ("11.100(a)", "Each signature is unique to one person and never reassigned."),
    ("11.100(b)", "Identity is verified before a signature is sanctioned."),
    ("11.100(c)", "The agency is told in writing that signatures bind as handwriting does."),
    ("11.200(a)(1)", "Two components; both at first, one at least in a continuous period."),
    ("11.200(a)(2)", "Signatures are used by their genuine owners only."),
    ("11.200(a)(3)", "Use by anyone else needs two people to collaborate."),
    ("11.200(b)", "Biometric signatures cannot be used by anyone else."),
    ("11.300(a)", "No two people have the same identification code and password."),
    ("11.300(b)", "Codes and passwords are checked, recalled and revised periodically."),
    ("11.300(c)", "Lost or compromised devices are deauthorised, and replaced under control."),
    ("11.300(d)", "Unauthorised use is prevented, detected and reported at once."),
    ("11.300(e)", "Devices are tested at first and periodically."),
)
ANNEX_11 = (
    ("Annex 11 §1", "Risk management through the lifecycle, documented."),
    ("Annex 11 §2", "Process owner, system owner, qualified person and IT work together."),
    ("Annex 11 §3", "Suppliers and service providers: agreements, audits, documents."),
    ("Annex 11 §4", "Validation: inventory, requirements, traceability, test evidence, migration."),
    ("Annex 11 §5", "Built-in checks on data exchanged electronically."),
    ("Annex 11 §6", "A further check of critical data entered by hand."),
    ("Annex 11 §7", "Storage secured and checked; backups made and restored to prove them."),
    ("Annex 11 §8", "Clear printouts; those for release show whether data were changed."),
    ("Annex 11 §9", "Audit trails with reasons, intelligible and regularly reviewed."),
    ("Annex 11 §10", "Changes and configuration under a defined procedure."),
    ("Annex 11 §11", "Periodic evaluation that the validated state is kept."),
    ("Annex 11 §12", "Physical and logical security; access granted, changed, withdrawn on record."),
    ("Annex 11 §13", "Incidents reported, assessed, root cause of critical ones found."),
    ("Annex 11 §14", "Electronic signatures: same impact, permanently linked, time and date."),
    ("Annex 11 §15", "Batch release by qualified persons only, identified by signature."),
    ("Annex 11 §16", "Continuity for critical processes if the system fails, tested."),
    ("Annex 11 §17", "Archived data checked for accessibility, readability, integrity."),
)
ALCOA = (
    ("ALCOA+ attributable", "Who or what system recorded it, and when."),
    ("ALCOA+ legible", "Readable, permanent and understandable."),
    ("ALCOA+ contemporaneous", "Recorded when it was done."),
    ("ALCOA+ original", "The first capture or a verified true copy."),
    ("ALCOA+ accurate", "True, calibrated, no undisclosed edits."),
    ("ALCOA+ complete", "With failed and repeated work, metadata and trail."),
    ("ALCOA+ consistent", "Sequence, clocks and formats agree."),
    ("ALCOA+ enduring", "Lasts for the whole retention."),
    ("ALCOA+ available", "At hand on request, throughout."),
)
CLAUSES = (*PART_11, *ANNEX_11, *ALCOA)
