"""Everything that touches the world: one I/O library per file."""
