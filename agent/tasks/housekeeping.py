"""Forget what is past its time: delivered records, and one-time codes that have expired beyond doubt."""

import asyncio
from typing import Protocol

from agent.core.decision import History
from agent.core.time_interval import Interval
from agent.ports import Clock

INTERVAL_S = 600.0


class Prunable(Protocol):
    """The part of the ledger that forgets."""

    async def prune(self, now: Interval) -> int:
        """Delete what is certainly past its time; return how many rows. Raises LedgerBroken."""
        ...


async def keep_house(ledger: Prunable, history: History, clock: Clock) -> None:
    """Prune for ever, in small ranges between other work."""
    while True:
        now = clock.now().now
        history.prune(now)
        await ledger.prune(now)
        await asyncio.sleep(INTERVAL_S)
