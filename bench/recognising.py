"""What recognising costs, of every family."""
from bench.line import Line


def lines() -> list[Line]:
    return []
