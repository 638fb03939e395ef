"""Readers of image formats. They run only in the isolated process (``child``).

Rules kept here: structure is checked before anything is decoded; offsets and counts from the file
are never trusted; XML with a document type or entities is refused; no reader opens another file.
"""
