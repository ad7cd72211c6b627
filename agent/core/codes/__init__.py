"""`recognise(scan)`: exactly one code family, or unknown. One file per family; recognition.py lists them."""

from agent.core.codes.recognition import FAMILIES, UNKNOWN, UNREADABLE, recognise

__all__ = ["FAMILIES", "UNKNOWN", "UNREADABLE", "recognise"]
