"""Governed documents, training and acknowledgement (DOMAIN 3.6, 3.7, 4A). One type per module."""
