"""The ledger's formats: bytes, hashes, proofs and notes, and nothing that stores or signs them.

Everything here is standard library only, because the offline verifier ships these modules as they
are. No module reads a clock, a database or a key file; signing and verifying are handed in.
"""
