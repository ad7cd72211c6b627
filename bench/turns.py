"""Two calls that take turns, as a terminal makes them: what they cost where nobody else was in the machine's caches.

The tenth of the turns that took least is what the code costs; medians say as much of whoever else was there
(docs/decisions/0263). Both are printed, the first is held to the bound.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.line import Line

TURNS = 6_000
UNDISTURBED = TURNS // 10
MEDIAN = TURNS // 2


@dataclass(frozen=True, slots=True)
class Turns:
    """The times of both calls in seconds, each in ascending order."""

    bare_s: list[float]
    took_s: list[float]

    def ratio(self, at: int = UNDISTURBED) -> float:
        """Return the call's time as a multiple of the bare one's, each at that place of its order."""
        return self.took_s[at] / self.bare_s[at]


def ratio(name: str, bare: Callable[[], object], call: Callable[[], object], bound: float) -> Line:
    """Return the line of a call's time as a multiple of the bare one's."""
    turns = take_turns(bare, call)
    bare_us, took_us = turns.bare_s[UNDISTURBED] * 1e6, turns.took_s[UNDISTURBED] * 1e6
    detail = f"{took_us:.1f} us, bare {bare_us:.1f} us; of medians {turns.ratio(MEDIAN):.3f}"
    return Line(name, turns.ratio(), bound, "at most", "x", detail)


def take_turns(bare: Callable[[], object], call: Callable[[], object]) -> Turns:
    """Time both, one after the other, TURNS times."""
    bare_s, took_s = list[float](), list[float]()
    for _ in range(TURNS):
        started = time.perf_counter()
        bare()
        between = time.perf_counter()
        call()
        took_s.append(time.perf_counter() - between)
        bare_s.append(between - started)
    return Turns(sorted(bare_s), sorted(took_s))
