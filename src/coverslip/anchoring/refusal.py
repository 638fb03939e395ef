"""The one error of anchors: an answer came, and it is no evidence."""

from __future__ import annotations


class AnchorRefused(OSError):
    """An anchor answered something that cannot be kept as evidence; the message says what was wrong.

    An OSError, because to whoever anchors it is one more way in which a place did not keep a checkpoint.
    """
