"""Fakes of the small ports: clock, randomness, display, scanner, trust store.

Time is the event loop's, so it is virtual under looptime.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from agent.core.decision import Answer, Decision
from agent.core.scan import Scan
from agent.core.time_interval import Interval, Stamp
from agent.core.transaction import Transaction
from agent.core.trust_list import Trust

EPOCH_MS = 1_800_000_000_000
BOOT_ID = bytes(range(16))


@dataclass
class FakeClock:
    """Says `base_ms` plus what has passed on the loop's clock since it was first asked; width_ms None: unbounded."""

    base_ms: int = EPOCH_MS
    width_ms: int | None = 4_000
    origin_s: float | None = None

    def now(self) -> Stamp:
        try:
            time_s = asyncio.get_running_loop().time()
        except RuntimeError:
            time_s = self.origin_s or 0.0
        if self.origin_s is None:
            self.origin_s = time_s
        raw_ms = int((time_s - self.origin_s) * 1000)
        earliest = self.base_ms + raw_ms
        latest = None if self.width_ms is None else earliest + self.width_ms
        return Stamp(BOOT_ID, raw_ms, Interval(earliest, latest), "os")


class SeededRandomness:
    """Repeatable draws."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def bytes(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def uniform(self) -> float:
        return self._random.random()


@dataclass
class RecordingDisplay:
    """Keeps what was shown, and in `events` the order of everything the test cares about."""

    events: list = field(default_factory=list)
    shown: list[tuple[Decision, Transaction]] = field(default_factory=list)
    notices: list[tuple[str, str]] = field(default_factory=list)

    async def show(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        self.events.append(("shown", transaction.seq))
        self.shown.append((decision, transaction))

    async def notice(self, topic: str, text: str) -> None:
        self.events.append(("notice", topic))
        self.notices.append((topic, text))


@dataclass
class ListScanner:
    """Yields what it was given, then ends."""

    id: str
    given: list[Scan]
    presence: str | None = None
    answers: list[Answer] = field(default_factory=list)

    async def scans(self) -> AsyncIterator[Scan]:
        for scan in self.given:
            await asyncio.sleep(0)
            yield scan

    def answered(self, answer: Answer) -> None:
        self.answers.append(answer)


@dataclass
class FixedTrust:
    """A trust store that never changes by itself."""

    current: Trust | None


def scan_of(text: str | bytes, scanner: str = "desk", clock: FakeClock | None = None) -> Scan:
    data = text.encode() if isinstance(text, str) else text
    return Scan(data=data, scanner=scanner, at=(clock or FakeClock()).now())
