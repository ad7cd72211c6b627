"""Forget what is past its time: delivered records, and one-time codes that have expired beyond doubt.

The law: nothing is forgotten on the word of this machine's clock alone; only as far as a receipt or the trust list has
vouched for the time.
"""

import asyncio
from typing import Protocol

from agent.core.decision import History
from agent.core.time_interval import Interval, SignedTime
from agent.ports import Clock, TrustStore

INTERVAL_S = 600.0


class Prunable(Protocol):
    """The part of the ledger that forgets."""

    async def prune(self, now: Interval) -> int:
        """Delete what is certainly past its time; return how many rows. Raises LedgerBroken."""
        ...


async def keep_house(
    ledger: Prunable, history: History, trust_store: TrustStore, signed_time: SignedTime, clock: Clock
) -> None:
    """Prune for ever, in small ranges between other work."""
    while True:
        await asyncio.sleep(INTERVAL_S)
        if trust_store.current is not None:
            signed_time.saw(trust_store.current.trust_list.issued_at_s * 1000)
        backed = signed_time.backed(clock.now().now)
        history.prune(backed)
        await ledger.prune(backed)
