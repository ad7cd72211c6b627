"""The beat: news of delivery only where it has moved on, and how late the loop is."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from agent.tasks.pulse import beat

pytestmark = pytest.mark.looptime


@asynccontextmanager
async def beating(delivery: list):
    told, lags = [], []

    async def read() -> dict | None:
        return delivery[0]

    async with asyncio.TaskGroup() as group:
        task = group.create_task(beat(read, told.append, lags.append))
        yield told, lags
        task.cancel()


async def test_delivery_is_told_when_it_has_moved_on_and_only_then():
    delivery = [{"name": "http", "is_up": False, "waiting": 3}]
    async with beating(delivery) as (told, _):
        await asyncio.sleep(5.5)
        assert told == delivery
        delivery[0] = {"name": "http", "is_up": True, "waiting": 0}
        await asyncio.sleep(5)
        assert [one["waiting"] for one in told] == [3, 0]


async def test_without_a_platform_there_is_nothing_to_tell_and_the_lag_is_measured():
    async with beating([None]) as (told, lags):
        await asyncio.sleep(3.5)
    assert told == []
    assert len(lags) == 3
    assert all(lag >= 0 for lag in lags)
