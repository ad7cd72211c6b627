"""Trusted time as an interval: what a terminal without a clock chip can honestly say of "now".

All instants are integer milliseconds since 1970-01-01T00:00:00Z. `latest_ms` is None while nothing bounds the time from
above. Nothing here reads a clock; `agent/adapters/clock.py` does.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """The true time lies in [earliest_ms, latest_ms]; latest_ms None means unbounded."""

    earliest_ms: int
    latest_ms: int | None

    def __post_init__(self) -> None:
        if self.latest_ms is not None and self.latest_ms < self.earliest_ms:
            raise ValueError("an interval ends before it begins")

    def is_certainly_after(self, instant_ms: int) -> bool:
        """Say whether even the earliest possible time lies after the instant."""
        return self.earliest_ms > instant_ms

    def is_certainly_before(self, instant_ms: int) -> bool:
        """Say whether even the latest possible time lies before the instant."""
        return self.latest_ms is not None and self.latest_ms < instant_ms


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something happened: one boot's raw monotonic clock and what was known of the time then.

    boot_id: 16 bytes; raw_ms: CLOCK_MONOTONIC_RAW; source: "os" until signed anchors exist (record.cddl, stamp).
    """

    boot_id: bytes
    raw_ms: int
    now: Interval
    source: str


class SignedTime:
    """The latest instant that somebody with a key has vouched for: receipts, the trust list.

    The operating system's clock may be years off. What is forgotten for good is forgotten by this (trust-and-time.md: a
    clock fault never purges data).
    """

    def __init__(self) -> None:
        self._latest_ms = 0

    def saw(self, at_ms: int) -> None:
        """Take note of a signed instant."""
        self._latest_ms = max(self._latest_ms, at_ms)

    @property
    def latest_ms(self) -> int:
        """The latest of them; 0 where there was none."""
        return self._latest_ms

    def backed(self, now: Interval) -> Interval:
        """Return the time as far as both the clock and something signed say so; its end stays open."""
        return Interval(min(now.earliest_ms, self._latest_ms), None)
