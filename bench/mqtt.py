"""One batch at a time through the real MQTT uplink and broker, with and without TCP_NODELAY, to a trivial responder.

The responder signs nothing and looks at nothing: what is measured is the carrier. Without the option, the end of a
batch waits behind the small acknowledgement of the last receipt, which the broker's kernel in turn acknowledges late.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import aiomqtt
import cbor2

from agent.adapters.clock import SystemRandomness
from agent.adapters.uplinks import mqtt
from agent.adapters.uplinks.mqtt import Events, MqttUplink, Settings
from agent.adapters.uplinks.mqtt_connection import SOCKET_OPTIONS
from agent.core.formats.cose import encode_sign1
from bench.line import Line
from demo.processes import free_port

BATCHES = 30
BATCH_BYTES = 20_000  # 50 records of 400 bytes; beyond 64 kB the segments of loopback hide the effect
ROUNDS = 3
LISTENING_S_MAX = 15.0
TOPICS = "scanward/1/bench/kiosk-1"


async def start_broker(folder: Path) -> tuple[asyncio.subprocess.Process, int]:
    """Start a Mosquitto that answers without Nagle's algorithm, whatever the client does."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n")
    program = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    if program is None:
        raise RuntimeError("mosquitto is not installed (tests/debian-packages.txt)")
    with (folder / "mosquitto.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, "-c", str(config), stdout=log, stderr=log)
    async with asyncio.timeout(LISTENING_S_MAX):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return process, port


async def respond(port: int, ready: asyncio.Event) -> None:
    """Answer each batch with the least that passes for a receipt about it."""
    async with aiomqtt.Client("127.0.0.1", port, identifier="responder", socket_options=SOCKET_OPTIONS) as client:
        await client.subscribe(f"{TOPICS}/up/batch", qos=1)
        ready.set()
        async for message in client.messages:
            if isinstance(message.payload, bytes):
                about = cbor2.loads(message.payload)[1]
                protected = bytes.fromhex("a201270448") + bytes(8)
                await client.publish(
                    f"{TOPICS}/down/receipt", encode_sign1(protected, cbor2.dumps({1: about}), bytes(64)), qos=1
                )


@contextmanager
def socket_options(options: tuple[tuple[int, int, int], ...]) -> Iterator[None]:
    """Connect with these options instead of the agent's."""
    vars(mqtt)["SOCKET_OPTIONS"] = options
    try:
        yield
    finally:
        vars(mqtt)["SOCKET_OPTIONS"] = SOCKET_OPTIONS


async def batches_per_s(port: int) -> float:
    """Return how many batches a second come back, sent one at a time."""
    randomness = SystemRandomness()
    uplink = MqttUplink(
        Settings(url=f"mqtt://127.0.0.1:{port}"), "kiosk-1", "bench", last_will=lambda: b"lost",
        events=Events(command=lambda _: None, trust=lambda _: None, connected=lambda: None), randomness=randomness,
    )  # fmt: skip
    body = bytes(BATCH_BYTES)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(uplink.run())
        await uplink.send(cbor2.dumps({1: randomness.bytes(16), 5: body}))
        started = time.perf_counter()
        for _ in range(BATCHES):
            await uplink.send(cbor2.dumps({1: randomness.bytes(16), 5: body}))
        elapsed_s = time.perf_counter() - started
        task.cancel()
    return BATCHES / elapsed_s


async def measure(folder: Path) -> list[Line]:
    """Take turns, and compare medians."""
    process, port = await start_broker(folder)
    ready = asyncio.Event()
    with_it, without = list[float](), list[float]()
    try:
        async with asyncio.TaskGroup() as group:
            responder = group.create_task(respond(port, ready))
            await ready.wait()
            for _ in range(ROUNDS):
                with_it.append(await batches_per_s(port))
                with socket_options(()):
                    without.append(await batches_per_s(port))
            responder.cancel()
    finally:
        process.kill()
        await process.wait()
    rates = median(with_it), median(without)
    return [
        Line(
            "one batch at a time over MQTT, with TCP_NODELAY / without", rates[0] / rates[1], 10, "at least", "x",
            f"{rates[0]:,.0f}/s at {1000 / rates[0]:.1f} ms against {rates[1]:,.0f}/s at {1000 / rates[1]:.1f} ms",
        )
    ]  # fmt: skip


def lines() -> list[Line]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as folder:
        return asyncio.run(measure(Path(folder).absolute()))
