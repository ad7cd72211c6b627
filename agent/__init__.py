"""Scanward, the edge agent of a health-code scanner terminal."""
