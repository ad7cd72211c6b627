"""Waiting for what only looking can tell: a link of udev's, a file, an answer."""

import time
from collections.abc import Callable

LOOK_S = 0.01


def until(condition: Callable[[], bool], s_max: float, what: str, look_s: float = LOOK_S) -> None:
    """Wait until it is so, looking again and again. Raises TimeoutError, which tells what was waited for."""
    end_s = time.monotonic() + s_max
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"waited in vain for this: {what}")
        time.sleep(look_s)
