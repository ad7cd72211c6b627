"""Draining a backlog over MQTT to a real platform's own broker, beside a raw publisher of the same batches.

The raw publisher (publisher.py) sends batches made beforehand, eight in flight, and believes every receipt. The drain
is the agent's own: uplink, delivery and ledger, every batch signed, every receipt checked, every window settled.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

from agent.adapters.clock import SystemClock, SystemRandomness
from agent.adapters.keys.signing import TerminalKey
from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.owner import ThreadedLedger
from agent.adapters.uplinks.mqtt import Events, MqttUplink, Settings
from agent.core.decision import History
from agent.core.status import State, encode_status
from agent.core.time_interval import SignedTime
from agent.core.trust_list import Trust
from agent.tasks.delivery import Delivery, Identity
from agent.tasks.delivery import Settings as DeliverySettings
from bench.delivery import RECORDS, batches_of, filled_ledger, platform, trust_of
from bench.doubles import FixedTrust, SilentDisplay
from bench.line import Line
from bench.publisher import Login, publish
from demo.processes import free_port
from platform_stub.mqtt.credentials import password_file, password_of

ROUNDS = 3
LET_IN_S_MAX = 20.0
SITE, TERMINAL = "bench", "kiosk-1"


async def drain(file: LedgerFile, key: TerminalKey, login: Login, password: Path, trust: Trust) -> float:
    """Return how long the agent's delivery takes from the first hello to the last settled record."""
    uplink = MqttUplink(
        Settings(url=f"mqtt://{login.host}:{login.port}", password_file=str(password)), TERMINAL, SITE,
        last_will=lambda: encode_status(key, TERMINAL, SITE, State.LOST, 1, "bench", {}),
        events=Events(command=lambda _: None, trust=lambda _: None, connected=lambda: None),
        randomness=SystemRandomness(),
    )  # fmt: skip
    async with ThreadedLedger(file) as ledger, asyncio.TaskGroup() as group:
        delivery = Delivery(
            ledger=ledger, uplink=uplink, trust_store=FixedTrust(trust), identity=Identity(TERMINAL, SITE, "bench"),
            history=History(), display=SilentDisplay(), clock=SystemClock(), randomness=SystemRandomness(),
            signed_time=SignedTime(), settings=DeliverySettings(rate_per_s=1e6, burst=1e6),
        )  # fmt: skip
        linking = group.create_task(uplink.run())
        while not uplink.is_connected:
            await asyncio.sleep(0.01)
        started = time.perf_counter()
        delivering = group.create_task(delivery.run())
        while delivery.cursor < RECORDS:
            await asyncio.sleep(0.003)
        elapsed_s = time.perf_counter() - started
        delivering.cancel()
        linking.cancel()
    return elapsed_s


async def send_raw(file: LedgerFile, login: Login) -> float:
    """Return how long broker and ingest take for the same backlog."""
    batches = batches_of(file)
    async with asyncio.timeout(LET_IN_S_MAX):
        while True:
            try:
                return await publish(batches, login)
            except ConnectionError:  # the broker has not read of the terminal yet
                await asyncio.sleep(0.1)


async def measure(folder: Path) -> list[Line]:
    """Take turns, and compare medians."""
    port = free_port()
    raw_s, drain_s = list[float](), list[float]()
    async with platform(folder, "--mqtt", f"127.0.0.1:{port}") as (_, key):
        trust, place = trust_of(folder), folder / "platform" / "mqtt"
        login = Login("127.0.0.1", port, TERMINAL, password_of(place, TERMINAL), SITE, TERMINAL)
        for number in range(ROUNDS):
            raw_s.append(await send_raw(filled_ledger(folder / f"raw-{number}.sqlite", key), login))
            file = filled_ledger(folder / f"drain-{number}.sqlite", key)
            drain_s.append(await drain(file, key, login, password_file(place, TERMINAL), trust))
    rates = RECORDS / median(drain_s), RECORDS / median(raw_s)
    return [
        Line(
            "drain over MQTT / raw publisher to the same ingest", rates[0] / rates[1], 0.5, "at least", "x",
            f"{rates[0]:,.0f}/s against {rates[1]:,.0f}/s",
        )
    ]  # fmt: skip


def lines() -> list[Line]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as folder:
        return asyncio.run(measure(Path(folder).absolute()))
