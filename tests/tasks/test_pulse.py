"""The beat: news of delivery only where it has moved on, and how late the loop is."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from agent.adapters.console.console import Console
from agent.composition.console import pulse_of
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


async def test_that_a_carrier_is_used_for_a_second_longer_is_no_news():
    console, at_s = Console(lines_to=None), asyncio.get_running_loop().time()
    uplink = {"name": "http", "carrier": "http", "is_up": True, "cursor": 7, "waiting": 0}

    async def status() -> dict[str, object]:
        return {"uplink": uplink | {"for_s": int(asyncio.get_running_loop().time() - at_s)}}

    async with asyncio.TaskGroup() as group:
        task = group.create_task(pulse_of(status, console))
        await asyncio.sleep(200)
        uplink["waiting"] = 1
        await asyncio.sleep(2)
        task.cancel()
    assert [json.loads(event.data)["waiting"] for event in console.recent(0)] == [0, 1]


async def test_without_a_platform_there_is_nothing_to_tell_and_the_lag_is_measured():
    async with beating([None]) as (told, lags):
        await asyncio.sleep(3.5)
    assert told == []
    assert len(lags) == 3
    assert all(lag >= 0 for lag in lags)
