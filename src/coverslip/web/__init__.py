"""Pages: the laboratory's work in a browser, rendered on the server.

Rules kept here:

* A page decides nothing: what may be done, and why not, is asked of ``application`` and the door, whose words
  it shows. ``api`` asks the same.
* Every page works without scripts; a fragment is a block of the same template, and its address opened
  directly is the whole page.
* No inline script, no inline style; what a person typed is text wherever it appears.
* Every write is a POST with the token of the session it was rendered in and the version that was read.
"""

from __future__ import annotations
