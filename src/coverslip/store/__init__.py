"""PostgreSQL: the ledger, its projections, the sequencer and the signer.

Rules kept here: SQL lives in this package only; the application never connects as superuser; what
the database refuses comes back as an error of ``coverslip.errors``.
"""
