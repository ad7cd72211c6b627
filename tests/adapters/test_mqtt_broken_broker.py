"""A broker that does not keep to MQTT costs a link, never the agent: its own bytes, from a socket of the test's."""

import asyncio
import gc
import socket
from collections.abc import Callable
from contextlib import asynccontextmanager

import aiomqtt
import cbor2
import pytest

from agent.adapters.uplinks.mqtt import Events, MqttUplink, Settings
from agent.adapters.uplinks.mqtt_connection import INCOMING_BYTES_MAX, Connection
from agent.ports import CarrierDown
from fakes import brokers
from fakes.ledger_parts import LabelSigner
from fakes.mqtt_platform import MqttPlatform, serving
from fakes.platform import FakePlatform
from fakes.world import SeededRandomness

CONNACK = b"\x20\x02\x00\x00"
SUBACK_OF_ONE = b"\x90\x03%b\x01"  # where two were asked for
SUBACK = b"\x90\x04%b\x01\x01"
PUBLISH_OF_250_MB = b"\x30\x80\xe5\x9a\x77\x00\x10scanward/1/trust"
HELLO = cbor2.dumps({1: b"h" * 16, 2: "kiosk-1", 6: b"l" * 16}, canonical=True)


class Broker:
    """Takes connections, and answers a subscription with `said` behind its packet id, then with `more`."""

    def __init__(self, said: bytes, more: bytes = b"", pieces: int = 0) -> None:
        self.said, self.more, self.pieces = said, more, pieces
        self.connections = 0
        self.sent = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await reader.read(2_000)
            writer.write(CONNACK)
            subscribe = await reader.read(2_000)
            at = subscribe.index(b"\x82") + 2
            writer.write(self.said % subscribe[at : at + 2] + self.more)
            for _ in range(self.pieces):
                writer.write(b"z" * 65_536)
                await writer.drain()
                self.sent += 65_536
            await reader.read()
        except (OSError, ValueError):
            pass  # it hung up
        finally:
            writer.transport.abort()


@asynccontextmanager
async def uplink_to(port: int, trust: Callable[[bytes], None] = lambda _: None, **settings):
    uplink = MqttUplink(
        Settings(url=f"mqtt://127.0.0.1:{port}", receipt_timeout_s=1.0, **settings), "kiosk-1", "demo",
        last_will=lambda: b"will", events=Events(lambda _: None, trust, lambda: None), randomness=SeededRandomness(),
    )  # fmt: skip
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink, task
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def listening(broker: Broker):
    async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def until(is_done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_done():  # noqa: ASYNC110 - sockets take part
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("said", [SUBACK_OF_ONE, b"\x90\x05%b\x01\x01\x01", b"\x90\x02%b"])
async def test_a_subscription_answered_with_the_wrong_number_of_codes_is_no_link_and_no_end(said):
    broker = Broker(said)
    async with listening(broker) as port, uplink_to(port) as (uplink, task):
        await until(lambda: broker.connections > 1)
        assert not task.done(), "it tries again"
        with pytest.raises(CarrierDown, match="codes"):
            await uplink.hello(HELLO)


async def test_a_message_of_250_mb_ends_the_link_before_it_is_read(caplog):
    broker = Broker(SUBACK, PUBLISH_OF_250_MB, pieces=1_000)
    async with listening(broker) as port, uplink_to(port) as (_, task):
        await until(lambda: broker.connections > 1)
        await until(lambda: "no link to the broker" in caplog.text)
        assert not task.done()
    said = [str(record.why) for record in caplog.records if record.message == "no link to the broker"]
    assert said == [f"the broker sends a message of more than {INCOMING_BYTES_MAX} bytes"]
    assert broker.sent < 65_536_000, "what is in the sockets, not the message"


async def test_a_broker_that_says_yes_and_is_gone_is_no_link_and_no_error_of_the_loop(caplog):
    errors, seen = list[object](), 0
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["message"]))

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        writer.write(CONNACK)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, uplink_to(server.sockets[0].getsockname()[1]) as (_, task):
        await until(lambda: seen > 1)
        assert not task.done(), "it tries again"
    gc.collect()
    await asyncio.sleep(0)
    assert errors == []
    assert "no link to the broker" in caplog.text


@pytest.mark.parametrize("turns", range(4))
async def test_a_cut_at_any_moment_before_a_write_is_no_error_of_the_loop(turns):
    """paho asks for the socket to be watched; a cut closes it so many turns of the loop later."""
    errors = list[object]()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context["message"]))
    connection = Connection(aiomqtt.Client("127.0.0.1"), connect_timeout_s=1.0)
    paho = connection._client._client
    ours, theirs = socket.socketpair()
    paho.on_socket_register_write(paho, None, ours)
    for _ in range(turns):
        await asyncio.sleep(0)
    if turns > 1:
        paho.on_socket_unregister_write(paho, None, ours)  # paho does, of what it has heard is watched
    ours.close()
    theirs.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert errors == []


async def test_the_same_hello_twice_at_once_is_answered_twice_and_ends_nothing(tmp_path):
    """As when the preferred carrier is tried with the last hello while the other fails in the middle of that hello."""
    platform = FakePlatform(LabelSigner("platform receipt")._key)
    async with (
        brokers.running("mosquitto", tmp_path / "broker") as broker,
        serving(MqttPlatform(platform, broker)),
        uplink_to(broker.port, username=brokers.ANYONE.name, password_file=_password(tmp_path)) as (uplink, task),
    ):
        await until(lambda: uplink.is_connected)
        first, second = await asyncio.gather(uplink.hello(HELLO), uplink.hello(HELLO))
        assert first == second
        assert await uplink.hello(HELLO)
        assert not task.done()


def _password(tmp_path) -> str:
    path = tmp_path / "password"
    path.write_text(brokers.ANYONE.password)
    return str(path)
