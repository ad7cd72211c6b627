"""A terminal's end of MQTT for tests: logs in, publishes, waits for what it is told. It answers nothing by itself."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiomqtt

HEARD_S_MAX = 20.0
LOGIN_S_MAX = 20.0


@dataclass
class MqttTerminal:
    """heard: (topic, payload) in the order they came, as far as nobody waited for them."""

    client: aiomqtt.Client
    site: str
    id: str
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    async def say(self, what: str, body: bytes, *, retain: bool = False, site: str = "", terminal: str = "") -> None:
        topic = f"scanward/1/{site or self.site}/{terminal or self.id}/up/{what}"
        await self.client.publish(topic, body, qos=1, retain=retain)

    async def hear(self, what: str) -> bytes:
        """Return the next thing that is said on a topic: its last part, e.g. "receipt" or "trust"."""
        for i, (topic, payload) in enumerate(self.heard):
            if topic.rpartition("/")[2] == what:
                del self.heard[i]
                return payload
        async with asyncio.timeout(HEARD_S_MAX):
            async for message in self.client.messages:
                if str(message.topic).rpartition("/")[2] == what:
                    return message.payload
                self.heard.append((str(message.topic), message.payload))
        raise AssertionError("the messages ended")

    async def ask(self, what: str, body: bytes, answer: str) -> bytes:
        await self.say(what, body)
        return await self.hear(answer)

    def cut(self) -> None:
        """Break the connection without a word, as a pulled cable does once the broker has noticed."""
        self.client._client.socket().shutdown(socket.SHUT_RDWR)


@asynccontextmanager
async def connected(
    at: tuple[str, int], terminal, password: str, *, will: bytes | None = None, will_topic: str = ""
) -> AsyncIterator[MqttTerminal]:
    """Log in as a terminal, which must be let in before long, and subscribe to all it may read."""
    up = f"scanward/1/{terminal.site}/{terminal.id}/up/status"
    last_will = aiomqtt.Will(will_topic or up, will, qos=1, retain=True) if will is not None else None
    async with asyncio.timeout(LOGIN_S_MAX):
        while True:
            client = aiomqtt.Client(
                *at, username=terminal.id, password=password, identifier=f"test-{terminal.id}", will=last_will
            )
            try:
                await client.__aenter__()
                break
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)  # the broker has not read of it yet, or is starting
    try:
        for topic in (f"scanward/1/{terminal.site}/{terminal.id}/down/#", "scanward/1/trust"):
            (granted,) = await client.subscribe(topic, qos=1)
            assert granted.value == 1, topic
        yield MqttTerminal(client, terminal.site, terminal.id)
    finally:
        with contextlib.suppress(aiomqtt.MqttError):  # it may have been cut before
            await client.__aexit__(None, None, None)
