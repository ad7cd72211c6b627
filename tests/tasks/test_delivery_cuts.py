"""Delivery through links that break: it goes on at once, says nothing of it, and hammers nobody who never answers."""

import asyncio
import itertools

import pytest

from agent.ports import LinkBroke, PlatformUnreachable
from agent.tasks.delivery import CUTS_MAX, Delivery, Identity, Settings
from fakes.platform import FakePlatform

pytestmark = pytest.mark.looptime

CUT = LinkBroke("the link broke")
GONE = PlatformUnreachable("no connection")


def delivery_of(terminal, platform, linked: asyncio.Event | None = None) -> Delivery:
    return Delivery(
        ledger=terminal.ledger, uplink=platform, trust_store=terminal.trust_store,
        identity=Identity("kiosk-1", "demo", "scanward/test"), history=terminal.history, display=terminal.display,
        clock=terminal.clock, randomness=terminal.randomness, signed_time=terminal.signed_time, settings=Settings(),
        linked=linked,
    )  # fmt: skip


async def delivered_s(delivery, count: int, limit_s: float = 3_600, look_every_s: float = 0.01) -> float:
    """Run a delivery until so many records are settled; return how long that took."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
        task = group.create_task(delivery.run())
        while delivery.cursor < count:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(look_every_s)
        task.cancel()
    return loop.time() - began_s


async def test_cut_after_cut_it_goes_on_without_growing_pauses_and_people_hear_of_none(terminal, platform_key):
    await terminal.fill(8_000)
    platform = FakePlatform(platform_key, troubles=itertools.cycle([None] * 4 + [CUT]))
    delivery = delivery_of(terminal, platform)
    assert await delivered_s(delivery, 8_000) < 10
    assert platform.hellos > 8
    assert [text for _, text in terminal.display.notices] == ["the platform answers"]


async def test_a_link_that_breaks_at_every_batch_is_trouble_like_any_other(terminal, platform_key):
    await terminal.fill(1)
    platform = FakePlatform(platform_key, troubles=itertools.cycle([None, CUT]))
    with pytest.raises(TimeoutError):
        await delivered_s(delivery_of(terminal, platform), 1, limit_s=600, look_every_s=1)
    assert CUTS_MAX < platform.hellos < 60, "a few at once, then one in half a minute"
    assert "the link broke" in [text for _, text in terminal.display.notices]


async def test_where_cuts_let_no_window_through_less_is_sent_at_once(terminal, platform_key):
    await terminal.fill(1_600)
    platform = FakePlatform(platform_key, troubles=[None, *[CUT] * 8, None, *[CUT] * 4, None, *[CUT] * 2])
    await delivered_s(delivery_of(terminal, platform), 1_600)
    assert platform.hellos == 4


async def test_a_link_that_comes_back_ends_the_pause(terminal, platform_key):
    await terminal.fill(1)
    linked = asyncio.Event()
    platform = FakePlatform(platform_key, troubles=[GONE] * 12)
    delivery = delivery_of(terminal, platform, linked)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(delivery.run())
        while platform.hellos < 12:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(1)
        linked.set()
        await asyncio.sleep(0.1)
        assert delivery.cursor == 1
        task.cancel()


async def test_a_link_that_comes_and_serves_nothing_is_asked_once(terminal, platform_key):
    linked = asyncio.Event()
    platform = FakePlatform(platform_key, troubles=itertools.repeat(GONE))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(delivery_of(terminal, platform, linked).run())
        await asyncio.sleep(600)
        before = platform.hellos
        linked.set()
        await asyncio.sleep(0.1)
        assert 1 <= platform.hellos - before <= 2
        task.cancel()
