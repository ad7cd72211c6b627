"""Scanners: each yields whole, byte-exact scans or says why not."""
