"""What people's pages and programs' interface have in common: one way to read, to act and to be refused.

Rules kept here:

* ``web`` and ``api`` are two faces of one door. What either does to a record it does through here, so that
  what one refuses the other refuses, in the same words.
* Nothing here knows a request, a page or an adapter; what it needs comes in by ``services``.
"""

from __future__ import annotations
