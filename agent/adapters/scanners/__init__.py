"""Scanners: one way of reading a device per file, each yielding whole `Scan`s and handling its own unplugging."""
