"""Review, release and hold (DOMAIN 7, 8). One type per module."""
