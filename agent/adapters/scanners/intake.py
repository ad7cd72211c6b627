"""What every scanner has behind its device: pieces in, stamped scans out of a bounded queue, and its presence.

The profile, the same-code interval and the flood limit are applied here and nowhere else.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Iterable

from agent.adapters.scanners.presence import OnPresence, Presence
from agent.core.decision import Answer
from agent.core.reading.passing import Gate
from agent.core.reading.piece import Piece
from agent.core.reading.profile import Profile, fit
from agent.core.scan import Scan
from agent.ports import Clock, ScanCounts

SCANS_QUEUED_MAX = 64  # then the device is not read on, and the kernel buffers; one read's scans may come on top
TAKEN_S_MAX = 30.0  # a scan waits longer only where the one before it is stuck


class TakenIn:
    """What a scanner with an intake says of itself (ports.Scanner, ports.Counted); how it scans is its own."""

    _intake: "Intake"

    @property
    def id(self) -> str:
        """The configured id."""
        return self._intake.id

    @property
    def presence(self) -> Presence | None:
        """Whether its scans can come now."""
        return self._intake.presence

    @property
    def counts(self) -> ScanCounts:
        """What was scanned since the start."""
        return self._intake.counts

    def answered(self, answer: Answer) -> None:
        """Leave the scanner silent, as most can only be."""


class Intake:
    """One scanner's queue and presence. One consumer; everything on the loop."""

    def __init__(self, profile: Profile, clock: Clock, on_presence: OnPresence) -> None:
        self._profile = profile
        self._clock = clock
        self._on_presence = on_presence
        self._gate = Gate(profile)
        self._waiting = deque[Scan]()
        self._consumer: asyncio.Future[None] | None = None  # it waits for the next scan
        self._waits_since_s = 0.0  # the next scan in the queue, by the loop's clock
        self._why_absent = ""
        self._scans = 0
        self._faults = Counter[str]()
        self.presence: Presence | None = None

    @property
    def id(self) -> str:
        """The configured id."""
        return self._profile.id

    def take(self, pieces: Iterable[Piece]) -> int:
        """Queue what passes, stamped now; return how many scans that were."""
        waiting, before = self._waiting, len(self._waiting)
        now_s = asyncio.get_running_loop().time()
        now_ms = math.ceil(now_s * 1000)
        for piece in pieces:
            fitting = fit(piece, self._profile)
            passed = fitting and self._gate.passes(fitting, now_ms)
            if passed is None:
                continue
            if not waiting:
                self._waits_since_s = now_s
            scan = Scan(
                passed.data, self._profile.id, self._clock.now(), passed.aim, passed.fault, passed.eci,
                self._profile.charset,
            )  # fmt: skip
            waiting.append(scan)
            self._scans += 1
            if scan.fault is not None:
                self._faults[scan.fault.value] += 1
        if waiting and self._consumer is not None and not self._consumer.done():
            self._consumer.set_result(None)
        return len(waiting) - before

    async def next(self) -> Scan:
        """Return the next scan, as soon as there is one."""
        loop = asyncio.get_running_loop()
        while not self._waiting:
            self._consumer = loop.create_future()
            try:
                await self._consumer
            finally:
                self._consumer = None
        self._waits_since_s = loop.time()
        return self._waiting.popleft()

    @property
    def counts(self) -> ScanCounts:
        """What came through since the start, and what did not (ports.Counted)."""
        return ScanCounts(self._scans, dict(self._faults), self._gate.repeats, self._gate.dropped)

    @property
    def is_full(self) -> bool:
        """Say whether the device is to be left unread for now."""
        return len(self._waiting) >= SCANS_QUEUED_MAX

    def why_stuck(self) -> str | None:
        """Say what is wrong where scans wait and nobody takes them; None where all is well."""
        waits_s = asyncio.get_running_loop().time() - self._waits_since_s
        return (
            f"nobody has taken the next scan for {TAKEN_S_MAX:g} s" if self._waiting and waits_s > TAKEN_S_MAX else None
        )

    def be_present(self, where: str) -> None:
        """Take note that the device is read now."""
        self._why_absent = ""
        self.presence = Presence.PRESENT
        self._on_presence(self._profile.id, Presence.PRESENT, where)

    def be_absent(self, why: str) -> None:
        """Take note that it is not, and why; told again only where that changes."""
        if why != self._why_absent:
            self._why_absent = why
            self.presence = Presence.ABSENT
            self._on_presence(self._profile.id, Presence.ABSENT, why)


def loop_ms() -> int:
    """The loop's clock, rounded up so that a timer is never early by a fraction."""
    return math.ceil(asyncio.get_running_loop().time() * 1000)
