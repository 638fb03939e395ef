"""Review: what a reviewer must look at, gathered from the ledger."""
