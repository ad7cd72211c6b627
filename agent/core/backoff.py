"""When to try again, and how fast a backlog may go out. Pure: time and draws are arguments.

Full jitter, capped, reset only after the link has been good for a while; the bucket keeps a backlog from crowding out
live scans.
"""

from dataclasses import dataclass


class Backoff:
    """Exponential back-off with full jitter: each delay is drawn from [0, ceiling), and the ceiling doubles to a cap.

    A success does not reset it at once: a link that flaps would be hammered. It does after `stable_s` without trouble.
    """

    def __init__(self, *, first_s: float, delay_s_max: float, stable_s: float) -> None:
        self._first_s = first_s
        self._delay_s_max = delay_s_max
        self._stable_s = stable_s
        self._failures = 0
        self._good_since_s: float | None = None

    def delay_s(self, now_s: float, draw: float) -> float:
        """Count a failure and return how long to wait; draw lies in [0, 1)."""
        if self._good_since_s is not None and now_s - self._good_since_s >= self._stable_s:
            self._failures = 0
        self._good_since_s = None
        ceiling_s = min(self._delay_s_max, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return draw * ceiling_s

    def succeeded(self, now_s: float) -> None:
        """Take note that the link works."""
        if self._good_since_s is None:
            self._good_since_s = now_s


@dataclass(slots=True)
class TokenBucket:
    """Lets `rate_per_s` records through on average and `burst` at once."""

    rate_per_s: float
    burst: float
    _level: float = 0.0
    _at_s: float | None = None

    def wait_s(self, now_s: float, count: int) -> float:
        """Take `count` and return how long to wait before using them; 0 while the bucket holds enough."""
        if self._at_s is None:
            self._level = self.burst
        else:
            self._level = min(self.burst, self._level + (now_s - self._at_s) * self.rate_per_s)
        self._at_s = now_s
        self._level -= count
        return 0.0 if self._level >= 0 else -self._level / self.rate_per_s
