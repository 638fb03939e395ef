"""Setting up: what an installation is founded with, answered step by step on one screen."""
