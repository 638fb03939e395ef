"""The worker: does what is due, through the one door, as the installation's service account."""
