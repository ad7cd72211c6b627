"""Verification keys, the terminal's own keys, and sealing."""
