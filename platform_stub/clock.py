"""The platform's only reader of the clock. Everything else gets the time passed in."""

import time


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def now_s() -> int:
    """Return seconds since 1970."""
    return now_ms() // 1000
