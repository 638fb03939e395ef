"""Write-once storage of files by content: what is stored is named by its chunk-tree root.

Rules kept by this package:

* An object's name is its content's root; nothing under a name is ever replaced, changed or removed.
* What was written is read back and hashed before it becomes visible; it becomes visible at once or
  not at all.
* Bytes that do not match their name are never returned.
* Whatever the size of a file, memory stays flat.
* Nothing here knows what a file means: pixels, records and people belong elsewhere.
"""

from coverslip.vault.fixity import CheckReport, VaultFinding
from coverslip.vault.local import LocalVault, Stored
from coverslip.vault.quarantine import Quarantined
from coverslip.vault.receiving import Leftover, Receiving

__all__ = ["CheckReport", "Leftover", "LocalVault", "Quarantined", "Receiving", "Stored", "VaultFinding"]
