"""Commands are carried out once, over restarts too, and answered; what is no command of the platform does nothing."""

import asyncio

import pytest

from agent.core.commands import Outcome
from agent.ports import LedgerFull, PlatformUnreachable
from agent.tasks.commands import ANSWER_AGAIN_S_MIN, TOLD_INTERVAL_S, WAITING_MAX, CommandQueue, Commands, Done
from fakes.commands import NOW_MS, command, trust_with_commands
from fakes.ledger_parts import LabelSigner
from fakes.platform import FakePlatform, payload_of, sign
from fakes.world import FakeClock, FixedTrust, RecordingDisplay

pytestmark = pytest.mark.looptime


class Values:
    """Small durable values: what was set outlives the task."""

    def __init__(self) -> None:
        self.kept = dict[str, bytes]()
        self.is_full = False
        self.events = list[str]()

    async def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    async def set(self, name: str, value: bytes) -> None:
        if self.is_full:
            raise LedgerFull("no space")
        self.events.append("durable")
        self.kept[name] = value


class Agent:
    """The commands of one terminal over restarts."""

    def __init__(self) -> None:
        self.values = Values()
        self.platform = FakePlatform(LabelSigner("platform receipt")._key)
        self.display = RecordingDisplay()
        self.clock = FakeClock()
        self.trust_store = FixedTrust(trust_with_commands())
        self.queue = CommandQueue()
        self.done = list[str]()
        self.crashes = False
        self.stopped = False

    def commands(self) -> Commands:
        return Commands(
            self.queue, terminal="kiosk-1", signer=LabelSigner(), uplink=self.platform, trust_store=self.trust_store,
            values=self.values, display=self.display, clock=self.clock,
            doings={"identify": self._identify, "reload": self._reload, "diagnostics": self._hang},
        )  # fmt: skip

    async def take(self, *signed: bytes, for_s: float = 1.0) -> None:
        """Offer commands to a fresh task and let it work."""
        for one in signed:
            self.queue.offer(one)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.commands().run())
            await asyncio.sleep(for_s)
            task.cancel()

    async def _identify(self) -> Done:
        self.values.events.append("done")
        self.done.append("identify")
        if self.crashes:
            await asyncio.Event().wait()
        return Done(Outcome.DONE, "shown")

    async def _hang(self) -> Done:
        await asyncio.Event().wait()
        raise AssertionError

    async def _reload(self) -> Done:
        def stop() -> None:
            self.stopped = True
            assert len(self.platform.answers) == 1, "the answer goes out before the agent stops"

        return Done(Outcome.DONE, "the agent starts anew", then=stop)

    def outcomes(self) -> list[int]:
        return [answer[3] for answer in self.platform.answers]


@pytest.fixture
def agent() -> Agent:
    return Agent()


async def test_a_command_is_carried_out_and_answered(agent):
    await agent.take(command("identify"))
    assert agent.done == ["identify"]
    (answer,) = agent.platform.answers
    assert {name: answer[name] for name in (1, 2, 3, 4)} == {1: b"c" * 16, 2: "kiosk-1", 3: 0, 4: "shown"}


async def test_its_id_is_durable_before_it_is_carried_out_and_its_answer_after(agent):
    await agent.take(command("identify"))
    assert agent.values.events == ["durable", "done", "durable"]


async def test_it_is_carried_out_once_however_often_it_comes_and_answered_the_same(agent):
    for _ in range(4):
        await agent.take(command("identify"), for_s=ANSWER_AGAIN_S_MIN + 1)
    assert agent.done == ["identify"]
    assert len(agent.platform.answers) == 4
    assert {answer[4] for answer in agent.platform.answers} == {"shown"}
    assert agent.display.notices == [], "the platform sends again what it has no answer to: nothing is wrong"


async def test_a_flood_of_the_same_command_is_not_answered_one_by_one(agent):
    for signed in [command("identify")] * 3:
        agent.queue.offer(signed)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(agent.commands().run())
        for _ in range(20):
            await asyncio.sleep(0.1)
            agent.queue.offer(command("identify"))
        task.cancel()
    assert len(agent.platform.answers) == 1


async def test_a_restart_while_it_is_carried_out_does_not_repeat_it(agent):
    agent.crashes = True
    await agent.take(command("identify"))
    agent.crashes = False
    await agent.take(command("identify"))
    assert agent.done == ["identify"]
    assert agent.outcomes() == [Outcome.FAILED]
    assert "not tried again" in agent.platform.answers[0][4]


async def test_a_reload_is_answered_before_the_agent_stops_and_not_repeated_after(agent):
    await agent.take(command("reload"))
    assert agent.stopped
    agent.stopped = False
    await agent.take(command("reload"))
    assert not agent.stopped
    assert agent.outcomes() == [Outcome.DONE, Outcome.DONE]


async def test_a_kind_nobody_knows_is_answered_so(agent):
    await agent.take(command("brew-coffee"))
    assert agent.outcomes() == [Outcome.UNKNOWN]


async def test_a_command_that_takes_too_long_has_failed(agent):
    await agent.take(command("diagnostics"), for_s=60)
    assert agent.outcomes() == [Outcome.FAILED]


async def test_an_old_command_is_not_carried_out_and_answered_over(agent):
    await agent.take(command("identify", over_ms=NOW_MS - 1))
    assert (agent.done, agent.outcomes()) == ([], [Outcome.OVER])
    assert agent.display.notices == [("command", "a command was not carried out: its time is over (identify)")]


FOREIGN = command("identify", f2="kiosk-2")
FORGED = sign(LabelSigner("nobody")._key, "scanward-command-1", payload_of(command("identify")))


@pytest.mark.parametrize(
    ("signed", "says"), [(FOREIGN, "another terminal"), (FORGED, "does not name"), (b"?", "signed")]
)
async def test_what_is_not_the_platforms_command_does_nothing_and_is_said_aloud(agent, signed, says):
    await agent.take(signed)
    assert (agent.done, agent.platform.answers, agent.values.kept) == ([], [], {})
    ((topic, text),) = agent.display.notices
    assert topic == "command"
    assert says in text


async def test_a_flood_of_forgeries_is_said_once_in_a_while_and_counted(agent):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(agent.commands().run())
        for number in range(200):
            agent.queue.offer(sign(LabelSigner("nobody")._key, "scanward-command-1", {1: number}))
            await asyncio.sleep(1)
        task.cancel()
    assert 3 <= len(agent.display.notices) <= 200 / TOLD_INTERVAL_S + 1
    assert "and 59 more" in agent.display.notices[1][1]


async def test_more_commands_than_may_wait_are_dropped_and_the_log_says_so_once(agent, caplog):
    many = [command("identify", id_=number.to_bytes(16)) for number in range(WAITING_MAX + 20)]
    with caplog.at_level("WARNING"):
        await agent.take(*many)
    assert len(agent.done) == WAITING_MAX
    assert [r.getMessage() for r in caplog.records if "too many commands" in r.getMessage()] == [
        "too many commands at once: some are dropped, and will come again"
    ]


async def test_without_space_nothing_is_done_and_it_may_come_again(agent):
    agent.values.is_full = True
    await agent.take(command("identify"))
    assert (agent.done, agent.platform.answers) == ([], [])
    agent.values.is_full = False
    await agent.take(command("identify"))
    assert agent.done == ["identify"]


async def test_without_a_trust_list_it_waits_for_the_next_time(agent):
    trust, agent.trust_store.current = agent.trust_store.current, None
    await agent.take(command("identify"))
    assert agent.done == []
    agent.trust_store.current = trust
    await agent.take(command("identify"))
    assert agent.done == ["identify"]


async def test_an_answer_that_is_lost_is_given_when_the_command_comes_again(agent):
    lost = PlatformUnreachable("no link")
    real = agent.platform.tell_answer

    async def lose(_answer: bytes) -> None:
        raise lost

    agent.platform.tell_answer = lose
    await agent.take(command("identify"))
    agent.platform.tell_answer = real
    await agent.take(command("identify"))
    assert (agent.done, agent.outcomes()) == (["identify"], [Outcome.DONE])


async def test_a_memory_that_cannot_be_read_stops_nobody(agent):
    agent.values.kept["commands.memory"] = b"\xff"
    await agent.take(command("identify"))
    assert agent.done == ["identify"]


async def test_commands_in_the_answer_to_a_hello_reach_the_queue(terminal, platform_key):
    queue = CommandQueue()
    platform = FakePlatform(platform_key, commands=[command("identify")])
    delivery = terminal.delivery(platform)
    delivery._commands = queue
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(delivery.run())
        assert await queue.next() == command("identify")
        task.cancel()


async def test_commands_beside_a_forged_receipt_are_not_even_looked_at(terminal, platform_key):
    queue = CommandQueue()
    platform = FakePlatform(platform_key, commands=[command("identify")], troubles=["forged"] * 99)
    delivery = terminal.delivery(platform)
    delivery._commands = queue
    async with asyncio.TaskGroup() as group:
        task = group.create_task(delivery.run())
        await asyncio.sleep(20)
        task.cancel()
    assert not queue._waiting
    assert len(platform.distrusted) > 2
