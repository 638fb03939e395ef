"""The kernel: records, people, signatures and time; nothing of microscopes, SQL or HTTP.

One door (``commit``) leads to the ledger. A record type is data in the vocabulary of ``words``;
no module here names one.
"""
