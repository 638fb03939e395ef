"""Places, people and what they may do (DOMAIN 3). One type per module."""
