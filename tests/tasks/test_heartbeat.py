"""The platform hears of a terminal at an interval, when something changes, and once more at an orderly stop."""

import asyncio
import json

import pytest

from agent.core.status import State
from agent.ports import PlatformRejected, PlatformUnreachable
from agent.tasks.heartbeat import FAREWELL_S_MAX, Heartbeat, Settings
from fakes.ledger_parts import LabelSigner
from fakes.platform import FakePlatform
from fakes.world import FakeClock

pytestmark = pytest.mark.looptime


class Terminal:
    """What a heartbeat tells of."""

    def __init__(self) -> None:
        self.platform = FakePlatform(LabelSigner("platform receipt")._key)
        self.said = {"scanners": ["present"], "waiting": 0}
        self.due = asyncio.Event()
        self.heartbeat = Heartbeat(
            terminal="kiosk-1", site="demo", software="scanward/test", signer=LabelSigner(), uplink=self.platform,
            clock=FakeClock(), said=self._say, changing=lambda said: said["scanners"], due=self.due,
            settings=Settings(),
        )  # fmt: skip

    async def _say(self) -> dict[str, object]:
        return self.said

    async def for_s(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.heartbeat.run())
            await asyncio.sleep(seconds)
            task.cancel()


@pytest.fixture
async def terminal() -> Terminal:
    return Terminal()


async def test_a_status_goes_out_at_once_and_every_minute(terminal):
    await terminal.for_s(601)
    assert len(terminal.platform.statuses) == 11
    status = terminal.platform.statuses[0]
    assert (status[1], status[2], status[3], status[5]) == ("kiosk-1", "demo", State.ONLINE, "scanward/test")
    assert json.loads(status[6]) == terminal.said


async def test_a_change_is_told_soon_and_a_count_is_not_a_change(terminal):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(terminal.heartbeat.run())
        await asyncio.sleep(20)
        terminal.said = {"scanners": ["present"], "waiting": 7}
        await asyncio.sleep(10)
        assert len(terminal.platform.statuses) == 1
        terminal.said = {"scanners": ["absent"], "waiting": 7}
        await asyncio.sleep(5)
        assert len(terminal.platform.statuses) == 2
        task.cancel()


async def test_what_flaps_is_told_every_few_seconds_only(terminal):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(terminal.heartbeat.run())
        for number in range(100):
            terminal.said = {"scanners": [number], "waiting": 0}
            await asyncio.sleep(0.5)
        task.cancel()
    assert len(terminal.platform.statuses) < 12


async def test_a_new_link_gets_a_status_at_once(terminal):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(terminal.heartbeat.run())
        await asyncio.sleep(1)
        terminal.due.set()
        await asyncio.sleep(0.1)
        assert len(terminal.platform.statuses) == 2
        task.cancel()


@pytest.mark.parametrize("trouble", [PlatformUnreachable("no link"), PlatformRejected("403", whole=True)])
async def test_a_status_that_is_lost_is_followed_by_the_next(terminal, trouble):
    real = terminal.platform.tell_status

    async def lose(_status: bytes) -> None:
        terminal.platform.tell_status = real
        raise trouble

    terminal.platform.tell_status = lose
    await terminal.for_s(61)
    assert len(terminal.platform.statuses) == 1


async def test_the_goodbye_is_the_last_word(terminal):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(terminal.heartbeat.run())
        await asyncio.sleep(1)
        await terminal.heartbeat.say_goodbye()
        terminal.due.set()
        await asyncio.sleep(100)
        task.cancel()
    assert [status[3] for status in terminal.platform.statuses] == [State.ONLINE, State.OFFLINE]


async def test_the_goodbye_never_holds_the_stop_up(terminal):
    async def hang(_status: bytes) -> None:
        await asyncio.Event().wait()

    terminal.platform.tell_status = hang
    began_s = asyncio.get_running_loop().time()
    await terminal.heartbeat.say_goodbye()
    assert asyncio.get_running_loop().time() - began_s <= FAREWELL_S_MAX + 0.01
