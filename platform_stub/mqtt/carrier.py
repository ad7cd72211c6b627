"""The platform over MQTT: what terminals publish is answered exactly as over HTTP, by conversation.py.

The law: nothing a terminal publishes stops the loop, and no terminal takes up all of it. What there is no room for is
dropped: the broker's word was never a promise, and the terminal says it again. When the link drops, what was in work is
given up at once.
"""

import asyncio
import contextlib
import logging
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiomqtt

from platform_stub.conversation import Conversation, Place
from platform_stub.mqtt import topics
from platform_stub.mqtt.credentials import PasswordUnusable
from platform_stub.mqtt.topics import Up
from platform_stub.status import MQTT
from platform_stub.storage.database import DatabaseAway, DatabaseBroken
from platform_stub.web.problem import Problem, problem_of
from platform_stub.wire import cbor
from platform_stub.wire.fields import BATCH_ID

IN_WORK_MAX = 128
IN_WORK_OF_TERMINAL_MAX = 20  # eight batches, those from before a cut, whose receipts went nowhere, and what is beside
WAITING_BYTES_MAX = 64 << 20
SAYINGS_WAITING_MAX = 1_024
PUBLISHES_UNACKNOWLEDGED_MAX = 256
DELAY_S_FIRST, DELAY_S_MAX = 0.2, 30.0
STABLE_S = 30.0
FAILURES_UNTIL_SAID = 3
ACKNOWLEDGED_S_MAX = 10.0
KEEPALIVE_S = 30
TLS_PORT, PLAIN_PORT = 8883, 1883
_NODELAY = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
_log = logging.getLogger(__name__)
_library_log = logging.getLogger(f"{__name__}.library")
_library_log.setLevel(logging.ERROR)  # it would warn of every single message that is dropped


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is and as whom to log in; `password` is asked at each connection."""

    host: str
    port: int
    user: str | None = None
    password: Callable[[], str] | None = field(default=None, repr=False)
    is_tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.is_tls else 'mqtt'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Saying:
    """Something to publish."""

    topic: str
    payload: bytes = field(repr=False)
    retain: bool = False


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """What has come and waits for its turn: bounded by bytes, because the library acknowledges before anyone looks."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._bytes = self._dropped = 0

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Take a message, or raise QueueFull, upon which the library drops it."""
        if self.full():
            self._dropped += 1
            if self._dropped.bit_count() == 1:  # the 1st, 2nd, 4th, 8th ...
                _log.warning("more comes over MQTT than is worked off; %d messages dropped so far", self._dropped)
        super().put_nowait(item)

    def _put(self, item: aiomqtt.Message) -> None:
        self._bytes += len(item.payload)
        super()._put(item)

    def _get(self) -> aiomqtt.Message:
        item: aiomqtt.Message = super()._get()
        self._bytes -= len(item.payload)
        return item

    def full(self) -> bool:
        """Say whether the next message is dropped."""
        return self._bytes >= WAITING_BYTES_MAX


class MqttCarrier:
    """Connects, answers, and says what is to be said unasked.

    at_start: what is said at each connection. connected: called at each. reachable: awaited before each.
    """

    def __init__(
        self,
        address: BrokerAddress,
        conversation: Conversation,
        at_start: Callable[[], Awaitable[list[Saying]]],
        connected: Callable[[], None],
        reachable: Callable[[], Awaitable[None]],
    ) -> None:
        self._address = address
        self._conversation = conversation
        self._at_start = at_start
        self._connected = connected
        self._reachable = reachable
        self._sayings: asyncio.Queue[Saying] = asyncio.Queue(SAYINGS_WAITING_MAX)
        self._in_work = asyncio.Semaphore(IN_WORK_MAX)
        self._of_terminal: Counter[str] = Counter()
        self._dropped = 0
        self._refused: Counter[str] = Counter()  # by terminal, of this connection: what each said that was no use

    def say(self, saying: Saying) -> None:
        """Publish soon; forgotten while there is no connection, since each begins with all that is to be said."""
        if self._sayings.full():
            self._sayings.get_nowait()
        self._sayings.put_nowait(saying)

    async def run(self) -> None:
        """Talk over one connection after another, until cancelled."""
        loop, delay_s, failures = asyncio.get_running_loop(), DELAY_S_FIRST, 0
        while True:
            await self._reachable()
            started_at_s = loop.time()
            try:
                await self._talk()
            except* (aiomqtt.MqttError, PasswordUnusable, DatabaseAway) as group:
                if loop.time() - started_at_s >= STABLE_S:
                    delay_s, failures = DELAY_S_FIRST, 0
                failures += 1
                if failures == FAILURES_UNTIL_SAID:  # a broker may just be starting; later it only repeats itself
                    _log.warning("no connection to the broker %s (%s); tried on", self._address, _why(group))
            await asyncio.sleep(delay_s * (0.5 + secrets.randbelow(1_000) / 2_000))
            delay_s = min(2 * delay_s, DELAY_S_MAX)

    async def _talk(self) -> None:
        """Connect and answer until the link drops. Raises MqttError, PasswordUnusable, DatabaseAway."""
        address = self._address
        async with aiomqtt.Client(
            address.host,
            address.port,
            username=address.user,
            password=address.password() if address.password is not None else None,
            identifier=f"platform-{secrets.token_hex(8)}",  # a name nobody can take over by guessing
            queue_type=_Inbox,
            logger=_library_log,
            timeout=ACKNOWLEDGED_S_MAX,
            keepalive=KEEPALIVE_S,
            max_inflight_messages=PUBLISHES_UNACKNOWLEDGED_MAX,
            tls_context=ssl.create_default_context() if address.is_tls else None,
            socket_options=_NODELAY,
        ) as client:
            client.pending_calls_threshold = PUBLISHES_UNACKNOWLEDGED_MAX
            granted = await client.subscribe(topics.FROM_TERMINALS, qos=topics.QOS)
            if any((code if isinstance(code, int) else code.value) > topics.QOS for code in granted):
                raise aiomqtt.MqttError(f"{address.user} may not subscribe {topics.FROM_TERMINALS}: mend its rights")
            while not self._sayings.empty():
                self._sayings.get_nowait()
            self._refused.clear()
            self._of_terminal.clear()  # and anew: a task that never began gave nothing back
            self._in_work = asyncio.Semaphore(IN_WORK_MAX)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._speak(client))
                _log.info("connected to the broker %s", address)
                self._connected()
                async for message in client.messages:
                    await self._take(client, group, message)

    async def _speak(self, client: aiomqtt.Client) -> None:
        for saying in await self._at_start():
            await _publish(client, saying)
        while True:
            await _publish(client, await self._sayings.get())

    async def _take(self, client: aiomqtt.Client, group: asyncio.TaskGroup, message: aiomqtt.Message) -> None:
        up = topics.read_up(str(message.topic))
        if up is None or not message.payload:  # an empty one takes back a retained status
            return
        if self._of_terminal[up.terminal] >= IN_WORK_OF_TERMINAL_MAX:
            self._dropped += 1
            if self._dropped.bit_count() == 1:  # the 1st, 2nd, 4th, 8th ...
                _log.warning("%s says too much at once; %d messages dropped so far", up.terminal, self._dropped)
            return
        await self._in_work.acquire()
        self._of_terminal[up.terminal] += 1
        group.create_task(self._work(client, up, message.payload))

    async def _work(self, client: aiomqtt.Client, up: Up, body: bytes) -> None:
        try:
            answer = await self._answer(up, body)
            self._of_terminal[up.terminal] -= 1  # before it hears, and says the next thing
            if not self._of_terminal[up.terminal]:
                del self._of_terminal[up.terminal]
            if answer is not None:
                await _publish(client, Saying(topics.down(up.site, up.terminal, answer[0]), answer[1]))
        finally:
            self._in_work.release()

    async def _answer(self, up: Up, body: bytes) -> tuple[str, bytes] | None:
        """Return what is said to a message, and as what."""
        place = Place(MQTT, up.terminal, up.site)
        try:
            match up.what:
                case topics.HELLO:
                    return topics.HELLO, await self._conversation.hello(body, place)
                case topics.BATCH:
                    return topics.RECEIPT, await self._conversation.batch(body, place)
                case topics.STATUS:
                    await self._conversation.status(body, place)
                case topics.ANSWER:
                    await self._conversation.answer(body, place)
                case _:
                    self._warn(up, "is on a topic that means nothing")
        except Problem as problem:
            return self._refusal(up, body, problem)
        except DatabaseBroken as error:
            return self._refusal(up, body, problem_of(error))
        except Exception:  # noqa: BLE001 - as over HTTP, where it is a 500: sent again for ever, it must not stop the rest
            _log.exception("a message of %s on up/%s cannot be worked on: a fault of ours", up.terminal, up.what)
            return self._refusal(up, body, Problem(500, "platform.fault", "The platform failed over this."))
        return None

    def _refusal(self, up: Up, body: bytes, problem: Problem) -> tuple[str, bytes] | None:
        if up.what not in (topics.HELLO, topics.BATCH):
            self._warn(up, f"is refused: {problem.code}")
            return None
        about = _id_of(body)
        if about is None:  # nobody could tell what it is about
            self._warn(up, f"has no id and is refused: {problem.code}")
            return None
        return topics.PROBLEM, cbor.encode({1: about, 2: problem.status, 3: f"{problem.code}: {problem.detail}"})

    def _warn(self, up: Up, what: str) -> None:
        """Write that a message is of no use: of each terminal the 1st, 2nd, 4th, 8th ..., or it could fill the log."""
        self._refused[up.terminal] += 1
        if (count := self._refused[up.terminal]).bit_count() == 1:
            _log.warning("a message of %s on up/%s %s (%d such messages so far)", up.terminal, up.what, what, count)


async def _publish(client: aiomqtt.Client, saying: Saying) -> None:
    await client.publish(saying.topic, saying.payload, qos=topics.QOS, retain=saying.retain)


def _id_of(body: bytes) -> bytes | None:
    """Return the id of a message that may be anything, where it has one."""
    with contextlib.suppress(cbor.CborInvalid):
        fields = cbor.decode(body)
        if type(fields) is dict and BATCH_ID(fields.get(1)):
            about: bytes = fields[1]
            return about
    return None


def _why(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
