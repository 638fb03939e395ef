"""Instruments, studies, images and their analysis (DOMAIN 4B). One type per module."""
