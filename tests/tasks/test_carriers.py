"""Several ways to one platform: what fails is left, what is preferred is gone back to, and no record is lost."""

import asyncio
from contextlib import asynccontextmanager

import cbor2
import pytest

from agent.ports import CarrierDown, PlatformRejected, PlatformUnreachable
from agent.tasks.carriers import FAILED_ROUNDS_MAX, SETTLE_S, Carriers, Settings
from fakes.ledger_parts import draft
from fakes.platform import FakePlatform

pytestmark = pytest.mark.looptime


class Way:
    """A carrier to a platform, which can be down, deaf, refusing or forging."""

    def __init__(self, kind: str, platform: FakePlatform) -> None:
        self.kind = kind
        self.name = "platform"
        self.platform = platform
        self.trouble: Exception | str | None = None
        self.trouble_of_batches: Exception | str | None = None
        self.hellos = 0
        self.batches = 0
        self.statuses = 0
        self.looks = 0
        self.answered = list[bytes]()  # hellos

    @property
    def is_connected(self) -> bool:
        self.looks += 1
        return not isinstance(self.trouble, CarrierDown)

    async def hello(self, hello: bytes) -> bytes:
        self.hellos += 1
        if self.trouble is None:
            self.answered.append(hello)
        return await self._pass(self.platform.hello, hello, self.trouble)

    async def send(self, batch: bytes) -> bytes:
        self.batches += 1
        return await self._pass(self.platform.send, batch, self.trouble_of_batches or self.trouble)

    def distrust(self, answer: bytes) -> None:
        raise AssertionError("whether an answer is believed is for the carriers")

    async def tell_status(self, status: bytes) -> None:
        self.statuses += 1
        if isinstance(self.trouble, Exception):
            raise self.trouble

    async def tell_answer(self, answer: bytes) -> None:
        pass

    async def _pass(self, call, request: bytes, trouble: Exception | str | None) -> bytes:
        if isinstance(trouble, Exception):
            if not isinstance(trouble, CarrierDown):
                await asyncio.sleep(1)
            raise trouble
        answer = await call(request)
        await asyncio.sleep(0.01)
        return answer if trouble is None else answer[:-1] + bytes([answer[-1] ^ 1])


class Terminal:
    """A delivery over two carriers."""

    def __init__(self, terminal, platform_key, **settings) -> None:
        terminal.file.settle("http", 0, [])
        self.terminal = terminal
        self.platform = FakePlatform(platform_key)
        self.mqtt, self.http = Way("mqtt", self.platform), Way("http", self.platform)
        self.carriers = Carriers([self.mqtt, self.http], display=terminal.display, settings=Settings(**settings))
        self.carriers.name = "http"  # under which the ledger of these tests keeps its cursor
        self.delivery = terminal.delivery(self.carriers)
        self.carriers.greet_soon = self.delivery.greet_soon

    async def until(self, is_done, limit_s: float = 7_200) -> None:
        async with asyncio.timeout(limit_s), self.running():
            while not is_done():  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.02)

    async def for_s(self, seconds: float) -> None:
        async with self.running():
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def running(self):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.delivery.run()), group.create_task(self.carriers.run())]
            yield
            for task in tasks:
                task.cancel()

    def told(self) -> list[str]:
        return [text for topic, text in self.terminal.display.notices if "go by way of" in text]


@pytest.fixture
def two(terminal, platform_key) -> Terminal:
    return Terminal(terminal, platform_key)


DOWN = CarrierDown("no connection to the broker")
SILENT = PlatformUnreachable("no answer came")


async def test_the_preferred_carrier_is_used_and_nobody_is_told_of_it(two, terminal):
    await terminal.fill(450)
    await two.until(lambda: two.delivery.cursor == 450)
    assert two.http.hellos + two.http.batches == 0
    assert two.carriers.status() == {"carrier": "mqtt", "for_s": None, "preferred": "mqtt", "why_not_preferred": None}
    assert two.told() == []


async def test_a_carrier_without_connection_is_passed_over_at_once(two, terminal):
    two.mqtt.trouble = DOWN
    await terminal.fill(450)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await two.until(lambda: two.delivery.cursor == 450)
    assert loop.time() - began_s < 1
    await two.for_s(SETTLE_S + 1)
    assert two.told() == ["records go by way of http: mqtt does not work: no connection to the broker"]
    assert two.carriers.status()["carrier"] == "http"
    assert two.carriers.status()["why_not_preferred"] == "no connection to the broker"


@pytest.mark.parametrize("trouble", [SILENT, PlatformRejected("403 who are you", whole=True)])
async def test_a_carrier_by_which_no_hello_is_answered_is_left_after_a_few_rounds(two, terminal, trouble):
    two.mqtt.trouble = trouble
    await terminal.fill(10)
    await two.until(lambda: two.delivery.cursor == 10)
    assert two.mqtt.hellos == FAILED_ROUNDS_MAX
    assert two.http.batches == 1


@pytest.mark.parametrize("trouble", [SILENT, PlatformRejected("422 all wrong", whole=False)])
async def test_a_carrier_that_lets_hellos_through_and_no_batches_is_left_too(two, terminal, trouble):
    two.mqtt.trouble_of_batches = trouble
    await terminal.fill(3)
    await two.until(lambda: two.delivery.cursor == 3)
    assert two.http.batches == 1
    assert not any(topic == "parked" for topic, _ in terminal.display.notices)


async def test_an_answer_that_is_not_the_platforms_moves_on_at_once_and_moves_no_cursor(two, terminal):
    two.mqtt.trouble_of_batches = "forged"
    await terminal.fill(2_000)
    await two.until(lambda: two.delivery.cursor == 2_000)
    assert two.mqtt.batches == 8, "one window, all of it forged, and not a second"
    assert set(two.platform.times_received.values()) == {1, 2}
    assert any("not the platform's" in text for _, text in terminal.display.notices)
    await two.for_s(SETTLE_S + 1)
    assert two.told() == ["records go by way of http: mqtt does not work: an answer was not the platform's"]


async def test_the_preferred_carrier_is_gone_back_to_with_the_same_records(two, terminal):
    two.mqtt.trouble = DOWN
    await terminal.fill(10)
    await two.until(lambda: two.delivery.cursor == 10)
    two.mqtt.trouble = None
    await two.for_s(40)
    assert two.carriers.status()["carrier"] == "mqtt"
    await terminal.fill(10)
    await two.until(lambda: two.delivery.cursor == 20)
    assert two.mqtt.batches == 1
    assert set(two.platform.times_received.values()) == {1}
    assert two.told()[-1] == "records go by way of mqtt"


async def test_a_hello_from_before_is_never_said_again_so_no_terminal_looks_like_one_restored_from_an_image(
    two, terminal
):
    two.mqtt.trouble = DOWN
    await two.until(lambda: two.delivery.is_up is True)
    await terminal.fill(10)
    await two.until(lambda: two.delivery.cursor == 10)
    two.mqtt.trouble = None
    await two.until(lambda: two.carriers.in_use is two.mqtt)
    assert not set(two.mqtt.answered) & set(two.http.answered)
    assert [head_seq_of(hello) for hello in two.mqtt.answered] == [10]


async def test_a_preferred_carrier_that_is_there_but_does_not_answer_is_asked_first_and_passed_over(two, terminal):
    two.mqtt.trouble = SILENT
    await terminal.fill(10)
    await two.until(lambda: two.delivery.cursor == 10)
    for _ in range(10):
        await two.for_s(30)
        await terminal.fill(1)
    await two.until(lambda: two.delivery.cursor == 20)
    assert two.carriers.in_use is two.http
    assert two.mqtt.hellos <= 14
    assert two.delivery.is_up


async def test_people_hear_of_a_carrier_that_stays_away_once(two):
    two.mqtt.trouble = DOWN
    await two.for_s(3_600)
    assert len(two.told()) == 1
    assert two.mqtt.looks > 100, "it is looked for twice a minute"
    assert two.http.hellos < 20, "which costs the platform nothing"


async def test_a_forger_who_stays_is_tried_less_and_less(two, terminal):
    two.mqtt.trouble_of_batches = "forged"
    loop, end_s = asyncio.get_running_loop(), asyncio.get_running_loop().time() + 7_200

    async def scanning() -> None:
        while loop.time() < end_s:
            await terminal.ledger.append(draft(1))
            await asyncio.sleep(20)

    async with asyncio.TaskGroup() as group:
        group.create_task(scanning())
        await two.for_s(7_200)
    assert two.mqtt.batches < 12
    assert two.delivery.cursor > 350
    assert len(two.told()) < 24


async def test_a_window_in_flight_when_the_carrier_changes_neither_hangs_nor_loses(two, terminal):
    await terminal.fill(4_000)

    async def breaking() -> None:
        for number in range(20):
            await asyncio.sleep(0.05)
            two.mqtt.trouble = [DOWN, None, SILENT, None][number % 4]
            two.http.trouble = [None, SILENT, None, None][number % 4]
        two.mqtt.trouble = two.http.trouble = None

    async with asyncio.TaskGroup() as group:
        group.create_task(breaking())
        await two.until(lambda: two.delivery.cursor == 4_000)
    hashes = {r.seq: r.hash for r in await terminal.ledger.read(0, records_max=4_000, bytes_max=10**8)}
    assert two.platform.records == hashes


async def test_where_nothing_works_it_says_why_and_goes_on_when_something_does(two, terminal):
    two.mqtt.trouble, two.http.trouble = DOWN, SILENT
    await terminal.fill(10)
    await two.for_s(300)
    assert two.delivery.cursor == 0
    two.http.trouble = None
    await two.until(lambda: two.delivery.cursor == 10, limit_s=60)
    two.mqtt.trouble = None
    await two.for_s(60)
    assert two.carriers.status()["carrier"] == "mqtt"


async def test_a_single_carrier_is_never_left(terminal, platform_key):
    only = Way("http", FakePlatform(platform_key))
    carriers = Carriers([only], display=terminal.display, settings=Settings())
    only.trouble = DOWN
    for _ in range(5):
        with pytest.raises(PlatformUnreachable, match="no connection"):
            await carriers.hello(b"hello")
    only.trouble = SILENT
    for _ in range(5):
        with pytest.raises(PlatformUnreachable, match="no answer"):
            await carriers.hello(b"hello")
    assert carriers.status()["carrier"] == "http"


async def test_a_status_goes_by_the_carrier_in_use(two):
    await two.carriers.tell_status(b"status")
    two.mqtt.trouble = DOWN
    await two.for_s(1)
    await two.carriers.tell_status(b"status")
    assert (two.mqtt.statuses, two.http.statuses) == (1, 1)


async def test_a_link_that_breaks_while_nothing_is_sent_is_noticed_at_once(two):
    async with asyncio.timeout(60), two.running():
        await until_so(lambda: two.delivery.is_up)
        two.mqtt.trouble = DOWN
        two.carriers.lost(two.mqtt)
        await until_so(lambda: two.carriers.in_use is two.http and two.http.hellos == 1)
        assert two.delivery.is_up
        two.http.trouble = SILENT
        two.carriers.lost(two.mqtt)  # not in use: says nothing
        await asyncio.sleep(10)
        assert two.delivery.is_up
        with pytest.raises(PlatformUnreachable):
            await two.carriers.tell_status(b"a status that does not get through")
        await until_so(lambda: not two.delivery.is_up)


async def test_a_hello_that_is_due_at_that_moment_and_a_doubt_do_not_hurt_each_other(two):
    async with asyncio.timeout(3_600), two.running():
        await until_so(lambda: two.delivery.is_up)
        loop, hellos = asyncio.get_running_loop(), two.mqtt.hellos
        due_s = two.delivery._hello_due_s
        for early_s in (0.001, 0.0, -0.001):
            loop.call_at(due_s - early_s, two.delivery.greet_soon)
        await until_so(lambda: two.mqtt.hellos > hellos)
        await asyncio.sleep(1)
        assert two.delivery.is_up


async def until_so(is_so) -> None:
    while not is_so():  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.02)


def head_seq_of(hello: bytes) -> int:
    signed = cbor2.loads(cbor2.loads(hello)[7])  # hello.cddl: the signed head
    return cbor2.loads(signed.value[2])[3]
