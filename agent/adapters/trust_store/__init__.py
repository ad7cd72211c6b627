"""The verified trust list on disk, and the process that refreshes it."""
