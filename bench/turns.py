"""Two calls that take turns, as a terminal makes them: a busy machine slows both, and the medians are compared."""

import statistics
import time
from collections.abc import Callable

from bench.line import Line

TURNS = 6_000


def ratio(name: str, bare: Callable[[], object], call: Callable[[], object], bound: float) -> Line:
    """Return the line of a call's time as a multiple of the bare one's."""
    bare_us, took_us = medians_us(bare, call)
    return Line(name, took_us / bare_us, bound, "at most", "x", f"{took_us:.1f} us, bare {bare_us:.1f} us")


def medians_us(bare: Callable[[], object], call: Callable[[], object]) -> tuple[float, float]:
    """Return the median time of each, in microseconds."""
    bare_s, took_s = list[float](), list[float]()
    for _ in range(TURNS):
        started = time.perf_counter()
        bare()
        between = time.perf_counter()
        call()
        took_s.append(time.perf_counter() - between)
        bare_s.append(between - started)
    return statistics.median(bare_s) * 1e6, statistics.median(took_s) * 1e6
