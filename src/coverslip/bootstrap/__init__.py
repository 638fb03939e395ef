"""The composition root: the only place that knows every adapter and puts an installation together."""

from coverslip.bootstrap.anchors import anchors_add, anchors_list, anchors_remove, anchors_round
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
from coverslip.bootstrap.founding import Founding, init
from coverslip.bootstrap.migrating import migrate
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
    "checkpoint",
    "clock_set",
    "clock_status",
    "doctor",
    "entry_proof",
    "init",
    "ledger_replay",
    "ledger_status",
    "ledger_verify",
    "migrate",
    "serve",
    "vault_check",
    "vault_locate",
    "witness_init",
    "witness_know",
    "witness_serve",
    "witness_status",
]
