"""The only reader of clocks, of the boot id and of randomness.

Until signed anchors exist, what is known of the time is the operating system's, give or take OS_RADIUS_MS.
"""

import os
import random
import time
from pathlib import Path

from agent.core.time_interval import Interval, Stamp

OS_RADIUS_MS = 2_000
BOOT_ID_PATH = Path("/proc/sys/kernel/random/boot_id")
_NS_PER_MS = 1_000_000


class SystemClock:
    """Stamps with CLOCK_MONOTONIC_RAW, which nobody steps or slews, and the OS time as an interval."""

    def __init__(self, boot_id: bytes | None = None) -> None:
        self._boot_id = read_boot_id() if boot_id is None else boot_id

    def now(self) -> Stamp:
        """Return the stamp of this instant."""
        raw_ms = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) // _NS_PER_MS
        os_ms = time.clock_gettime_ns(time.CLOCK_REALTIME) // _NS_PER_MS
        earliest_ms = max(0, os_ms - OS_RADIUS_MS)  # a box without a clock chip starts in 1970, or before it
        return Stamp(self._boot_id, raw_ms, Interval(earliest_ms, max(0, os_ms + OS_RADIUS_MS)), "os")


class SystemRandomness:
    """The kernel's randomness."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def bytes(self, size: int) -> bytes:
        """Return `size` unpredictable bytes."""
        return os.urandom(size)

    def uniform(self) -> float:
        """Return a draw from [0, 1)."""
        return self._random.random()


def read_boot_id(path: Path = BOOT_ID_PATH) -> bytes:
    """Return the kernel's 16-byte id of this boot; where there is none, a random one: this start counts as a boot."""
    try:
        boot_id = bytes.fromhex(path.read_text("ascii").replace("-", "").strip())
    except (OSError, ValueError):
        return os.urandom(16)
    return boot_id if len(boot_id) == 16 else os.urandom(16)
