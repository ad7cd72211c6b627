"""A FakePlatform that answers on a real broker, by a client of its own; and a third party that only listens or forges.

Written from docs/protocol alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import aiomqtt
import cbor2

from agent.ports import PlatformRejected, PlatformUnreachable
from fakes.brokers import ANYONE, Broker, User
from fakes.platform import FakePlatform

LINK_S_MAX = 20.0


@contextlib.asynccontextmanager
async def client_of(broker: Broker, user: User = ANYONE, name: str = "platform") -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client(
        "127.0.0.1", broker.port, username=user.name, password=user.password, identifier=f"{name}-{broker.port}",
        max_inflight_messages=1_000,
    ) as client:  # fmt: skip
        client.pending_calls_threshold = 1_000
        yield client


@dataclass
class MqttPlatform:
    """Answers hellos and batches with what a FakePlatform says; `changes` may spoil an answer on its way."""

    platform: FakePlatform
    broker: Broker
    user: User = ANYONE
    is_silent: bool = False
    answers_to: tuple[str, ...] = ("hello", "batch")
    changes: Callable[[bytes], Iterable[bytes]] = lambda answer: (answer,)  # what is published instead of an answer
    linked: asyncio.Event = field(default_factory=asyncio.Event)
    links: int = 0

    async def run(self) -> None:
        """Serve for ever; after the broker went away, come back."""
        while True:
            try:
                async with client_of(self.broker, self.user) as client, asyncio.TaskGroup() as group:
                    await client.subscribe("scanward/1/+/+/up/#", qos=1)
                    self.links += 1
                    self.linked.set()
                    async for message in client.messages:
                        group.create_task(self._answer(client, str(message.topic), bytes(message.payload)))
            except* aiomqtt.MqttError:
                pass
            self.linked.clear()
            await asyncio.sleep(0.05)

    async def _answer(self, client: aiomqtt.Client, topic: str, payload: bytes) -> None:
        base, _, kind = topic.rpartition("/up/")
        match kind:
            case "status":
                await self.platform.tell_status(payload)
            case "answer":
                await self.platform.tell_answer(payload)
            case "hello" | "batch" if not self.is_silent and kind in self.answers_to:
                await self._reply(client, f"{base}/down", kind, payload)

    async def _reply(self, client: aiomqtt.Client, down: str, kind: str, payload: bytes) -> None:
        topic = "hello" if kind == "hello" else "receipt"
        try:
            answer = await (self.platform.hello(payload) if kind == "hello" else self.platform.send(payload))
            answers = list(self.changes(answer))
        except PlatformRejected as error:
            status, _, text = error.reason.partition(" ")
            topic = "problem"
            answers = [cbor2.dumps({1: cbor2.loads(payload)[1], 2: int(status), 3: text}, canonical=True)]
        except PlatformUnreachable:
            return  # the answer is lost
        for one in answers:
            await client.publish(f"{down}/{topic}", one, qos=1)


@contextlib.asynccontextmanager
async def serving(platform: MqttPlatform) -> AsyncIterator[MqttPlatform]:
    """Serve while the block runs."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(platform.run())
        try:
            async with asyncio.timeout(LINK_S_MAX):
                await platform.linked.wait()
            yield platform
        finally:
            task.cancel()
