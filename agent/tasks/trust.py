"""Keep the trust list fresh: at start, on schedule, and when a new version is announced (announcements.py, commands).

The law: whatever goes wrong, what was verified before stays in use and ages on the grace ladder; trouble is told when
it changes, not each time it is met.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from agent.core.backoff import Backoff
from agent.core.trust_list import Freshness
from agent.ports import Clock, Randomness, RefreshableTrustStore, TrustRefresher, TrustTrouble, VerifiedBundle

log = logging.getLogger(__name__)

TOPIC = "trust"
SCHEDULE_JITTER = 0.2  # the part of the interval by which a refresh may come early, so that a fleet spreads out
RETRY_DELAY_S_MIN = 1.0  # full jitter may draw 0, and each try is a process
ANNOUNCED_GAP_S_MIN = 10.0  # however often a new version is announced

NEVER_VERIFIED, NO_CACHE = "never-verified", "no-cache"  # reasons (docs/trust.md) that mean: at a first start

Notice = Callable[[str, str], Awaitable[None]]
"""Told (topic, text), as ports.Display.notice."""


class Schedule(Protocol):
    """The part of the settings that this task needs (agent/adapters/trust_store/store.py explains them)."""

    @property
    def refresh_interval_s(self) -> float:
        """At most this long between two refreshes."""
        ...

    @property
    def retry_delay_s_first(self) -> float:
        """Within how long the first failure is followed by another try."""
        ...

    @property
    def retry_delay_s_max(self) -> float:
        """The cap of that delay as it doubles."""
        ...

    @property
    def announced_delay_s_max(self) -> float:
        """Over how long the terminals spread when a new version is announced to all of them."""
        ...


async def keep_trust_fresh(
    refresher: TrustRefresher,
    store: RefreshableTrustStore,
    clock: Clock,
    randomness: Randomness,
    settings: Schedule,
    notice: Notice,
    announced: asyncio.Event,
) -> None:
    """Keep `store` fresh for ever. `announced`: set by whoever hears of a new version. Raises LedgerBroken."""
    await _TrustKeeping(refresher, store, clock, randomness, settings, notice, announced).run()


@dataclass(slots=True)
class _TrustKeeping:
    _refresher: TrustRefresher
    _store: RefreshableTrustStore
    _clock: Clock
    _randomness: Randomness
    _settings: Schedule
    _notice: Notice
    _announced: asyncio.Event
    _told: str | None = None  # the reason of the trouble people know of
    _freshness: Freshness = Freshness.FRESH

    async def run(self) -> None:
        settings = self._settings
        backoff = Backoff(first_s=settings.retry_delay_s_first, delay_s_max=settings.retry_delay_s_max, stable_s=0)
        await self._start()
        while True:
            trouble = await self._refresh(offline=False)
            tried_at_s = _now_s()
            await self._report(trouble)
            if trouble is None:
                backoff.succeeded(tried_at_s)
                delay_s = settings.refresh_interval_s * (1 - SCHEDULE_JITTER * self._randomness.uniform())
            else:
                delay_s = backoff.delay_s(tried_at_s, self._randomness.uniform())
                delay_s = min(max(delay_s, RETRY_DELAY_S_MIN), settings.refresh_interval_s)
            await self._wait(delay_s)

    async def _start(self) -> None:
        """Have something to go by before the network is asked.

        1. What the agent verified before, if the store has not loaded it yet.
        2. Otherwise what is on disk, verified again from the installed root on.
        """
        if self._store.current is not None:
            return
        trouble = await self._store.restore()
        if trouble is None:
            return
        if trouble.reason != NEVER_VERIFIED:
            log.warning("the trust list on this terminal is verified anew: %s: %s", trouble.reason, trouble.detail)
        trouble = await self._refresh(offline=True)
        if trouble is not None and trouble.reason == NO_CACHE:
            log.info("no trust list on this terminal yet, fetching one")
        elif trouble is not None:
            log.warning("no trust list on this terminal can be used: %s: %s", trouble.reason, trouble.detail)

    async def _refresh(self, *, offline: bool) -> TrustTrouble | None:
        """Verify, and adopt what was verified; the store makes the floor durable before it swaps."""
        floor = await self._store.floor()
        result = await self._refresher.refresh(self._clock.now().now, floor, offline=offline)
        match result:
            case VerifiedBundle():
                return await self._store.adopt(result)
            case TrustTrouble():
                return result

    async def _report(self, trouble: TrustTrouble | None) -> None:
        """Tell people what has changed."""
        reason = None if trouble is None else trouble.reason
        if reason != self._told:
            self._told = reason
            if trouble is None:
                log.info("the trust list is refreshed again")
                await self._notice(TOPIC, "the trust list is refreshed again")
            else:
                log.warning("the trust list cannot be refreshed: %s: %s", trouble.reason, trouble.detail)
                await self._notice(TOPIC, f"the trust list cannot be refreshed: {trouble.reason}: {trouble.detail}")
        current = self._store.current
        freshness = Freshness.FRESH if current is None else current.freshness(self._clock.now().now)
        if freshness is not self._freshness:
            self._freshness = freshness
            log.warning("the trust list in use is %s", freshness)
            await self._notice(TOPIC, f"the trust list in use is {freshness}")

    async def _wait(self, delay_s: float) -> None:
        """Wait for the time to come, or for an announcement, spread out and never too often."""
        since_s = _now_s()
        try:
            async with asyncio.timeout(delay_s):
                await self._announced.wait()
        except TimeoutError:
            return
        spread_s = self._randomness.uniform() * self._settings.announced_delay_s_max
        gap_s = ANNOUNCED_GAP_S_MIN - (_now_s() - since_s)
        await asyncio.sleep(max(spread_s, gap_s, 0))
        self._announced.clear()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
