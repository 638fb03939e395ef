"""The composition root: the only place that knows every adapter and puts an installation together."""

from coverslip.bootstrap.anchors import anchors_add, anchors_list, anchors_remove, anchors_round
from coverslip.bootstrap.backing import backup
from coverslip.bootstrap.checking import (
    anchor,
    checkpoint,
    doctor,
    entry_proof,
    ledger_replay,
    ledger_status,
    ledger_verify,
    vault_check,
    vault_locate,
)
from coverslip.bootstrap.completing import ledger_gaps, ledger_heads, receipt_check
from coverslip.bootstrap.drilling import drill as restore_drill
from coverslip.bootstrap.founding import Founding, init
from coverslip.bootstrap.keeping import backup_places, backups_kept, certificates
from coverslip.bootstrap.listening import listening
from coverslip.bootstrap.migrating import migrate
from coverslip.bootstrap.moving import move
from coverslip.bootstrap.recovering import recover, recoveries, situation
from coverslip.bootstrap.restoring import restore
from coverslip.bootstrap.rotating import keys_list, keys_rotate
from coverslip.bootstrap.serving import serve
from coverslip.bootstrap.timing import clock_set, clock_status
from coverslip.bootstrap.witnessing import witness_init, witness_know, witness_serve, witness_status

__all__ = [
    "Founding",
    "anchor",
    "anchors_add",
    "anchors_list",
    "anchors_remove",
    "anchors_round",
    "backup",
    "backup_places",
    "backups_kept",
    "certificates",
    "checkpoint",
    "clock_set",
    "clock_status",
    "doctor",
    "entry_proof",
    "init",
    "keys_list",
    "keys_rotate",
    "ledger_gaps",
    "ledger_heads",
    "ledger_replay",
    "ledger_status",
    "ledger_verify",
    "listening",
    "migrate",
    "move",
    "receipt_check",
    "recover",
    "recoveries",
    "restore",
    "restore_drill",
    "serve",
    "situation",
    "vault_check",
    "vault_locate",
    "witness_init",
    "witness_know",
    "witness_serve",
    "witness_status",
]
