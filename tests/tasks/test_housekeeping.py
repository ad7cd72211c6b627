"""Nothing is forgotten on the word of this machine's clock alone."""

import asyncio

import pytest

from agent.core.decision import History
from agent.core.time_interval import Interval, SignedTime
from agent.tasks.housekeeping import INTERVAL_S, keep_house
from fakes.world import EPOCH_MS, FakeClock, FixedTrust

pytestmark = pytest.mark.looptime


class Recorder:
    """A ledger that notes what it was asked to forget."""

    def __init__(self) -> None:
        self.asked: list[Interval] = []

    async def prune(self, now: Interval) -> int:
        self.asked.append(now)
        return 0


async def run_for(seconds: float, **kwargs) -> Recorder:
    ledger = Recorder()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keep_house(ledger, **kwargs))
        await asyncio.sleep(seconds)
        task.cancel()
    return ledger


async def test_a_clock_years_ahead_forgets_nothing_that_nobody_has_signed_for():
    history = History({b"r" * 16: EPOCH_MS + 75_000})
    signed = SignedTime()
    signed.saw(EPOCH_MS)
    ledger = await run_for(
        2 * INTERVAL_S + 1, history=history, trust_store=FixedTrust(None), signed_time=signed,
        clock=FakeClock(base_ms=EPOCH_MS + 14 * 366 * 86_400_000),
    )  # fmt: skip
    assert ledger.asked == [Interval(EPOCH_MS, None)] * 2
    assert history.has(b"r" * 16)


async def test_nothing_is_forgotten_right_after_the_start():
    ledger = await run_for(
        INTERVAL_S - 1, history=History(), trust_store=FixedTrust(None), signed_time=SignedTime(), clock=FakeClock()
    )
    assert ledger.asked == []


async def test_what_is_expired_by_both_clock_and_signature_is_forgotten():
    history = History({b"r" * 16: EPOCH_MS - 1})
    signed = SignedTime()
    signed.saw(EPOCH_MS + 60_000)
    await run_for(INTERVAL_S + 1, history=history, trust_store=FixedTrust(None), signed_time=signed, clock=FakeClock())
    assert not history.has(b"r" * 16)


async def test_the_trust_list_vouches_for_the_time_too(trust):
    ledger = await run_for(
        INTERVAL_S + 1, history=History(), trust_store=FixedTrust(trust), signed_time=SignedTime(), clock=FakeClock()
    )
    assert ledger.asked == [Interval(trust.trust_list.issued_at_s * 1000, None)]
