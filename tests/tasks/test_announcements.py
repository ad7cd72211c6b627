"""An announcement makes the agent look for a newer trust list, not too often, and never more than that."""

import asyncio
import itertools
import json

import pytest

from agent.ports import TrustFloor
from agent.tasks.announcements import ANNOUNCED_S_MIN, Announcements

pytestmark = pytest.mark.looptime


class Store:
    """A trust store at some version."""

    current = None

    def __init__(self, version: int) -> None:
        self.version = version

    async def restore(self) -> None:
        return None

    async def floor(self) -> TrustFloor:
        return TrustFloor(timestamp_version=self.version)

    async def adopt(self, bundle: object) -> None:
        raise AssertionError


def timestamp(version: object) -> bytes:
    return json.dumps({"signed": {"_type": "timestamp", "version": version}, "signatures": []}).encode()


async def wakes_after(*offers: bytes, gap_s: float = 0.0, for_s: float = 300.0) -> list[float]:
    """Return when the trust task was woken, in seconds from the first announcement."""
    announced, woken, loop = asyncio.Event(), list[float](), asyncio.get_running_loop()
    announcements = Announcements(Store(7), announced)

    async def wait() -> None:
        while True:
            await announced.wait()
            announced.clear()
            woken.append(loop.time() - began_s)

    began_s = loop.time()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(announcements.run()), group.create_task(wait())]
        for offer in offers:
            announcements.offer(offer)
            await asyncio.sleep(gap_s)
        await asyncio.sleep(for_s)
        for task in tasks:
            task.cancel()
    return woken


async def test_a_newer_version_wakes_the_trust_task_at_once():
    assert await wakes_after(timestamp(8)) == [pytest.approx(0, abs=0.01)]


@pytest.mark.parametrize("version", [0, 6, 7, -1])
async def test_a_version_that_is_here_wakes_nobody(version):
    assert await wakes_after(timestamp(version)) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff", timestamp("8"), timestamp(8.5), timestamp(10**40), b"[" * 10_000],
)  # fmt: skip
async def test_what_is_no_timestamp_wakes_nobody(data):
    assert await wakes_after(data) == []


async def test_a_flood_of_announcements_wakes_once_a_minute():
    woken = await wakes_after(*[timestamp(10**6 + n) for n in range(3_000)], gap_s=0.1)
    assert len(woken) <= 300 / ANNOUNCED_S_MIN + 2
    assert all(later - earlier >= ANNOUNCED_S_MIN for earlier, later in itertools.pairwise(woken))


async def test_one_that_comes_too_soon_is_not_forgotten():
    woken = await wakes_after(timestamp(8), timestamp(9), gap_s=1)
    assert woken == [pytest.approx(0, abs=0.01), pytest.approx(ANNOUNCED_S_MIN, abs=0.1)]
