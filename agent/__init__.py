"""Scanward, the edge agent of a health-code scanner terminal."""

__version__ = "0.1.0"  # the one place; pyproject.toml reads it (importlib.metadata would cost 2.6 MB of memory)
