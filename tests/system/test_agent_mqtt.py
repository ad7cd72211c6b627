"""The agent as a process on a real broker: what others on the broker see of its life."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from system.test_agent_process import agent, scanner

from agent.core.status import State
from fakes import brokers
from fakes.ledger_parts import LabelSigner
from fakes.mqtt_platform import MqttPlatform, serving
from fakes.platform import FakePlatform

SEEN_S_MAX = 20.0


@asynccontextmanager
async def on_a_broker(tmp_path, kind: str):
    """Run a broker with a platform on it; yield the platform and an agent's configuration."""
    platform = FakePlatform(LabelSigner("platform receipt")._key)
    async with brokers.running(kind, tmp_path / "broker") as broker, serving(MqttPlatform(platform, broker)):
        password = tmp_path / "password"
        password.write_text(brokers.ANYONE.password)
        config = (
            f'[terminal]\nid = "kiosk-1"\nsite = "demo"\n{scanner(tmp_path / "none")}'
            f'[uplink.mqtt]\nurl = "{broker.url}"\nusername = "{brokers.ANYONE.name}"\npassword_file = "{password}"\n'
        )
        yield platform, config


async def until(is_done) -> None:
    async with asyncio.timeout(SEEN_S_MAX):
        while not is_done():  # noqa: ASYNC110 - other processes take part
            await asyncio.sleep(0.02)


def states(platform: FakePlatform) -> list[int]:
    return [status[3] for status in platform.statuses]


@pytest.mark.parametrize("kind", brokers.BROKERS)
async def test_it_says_hello_and_how_it_is_and_goodbye_at_an_orderly_stop(tmp_path, kind):
    async with on_a_broker(tmp_path, kind) as (platform, config), agent(tmp_path, config) as one:
        await until(lambda: platform.hellos and platform.statuses)
        told = json.loads(platform.statuses[-1][6])
        assert (told["terminal"], told["uplink"]["carrier"]) == ("kiosk-1", "mqtt")
        status, out = await one.stop()
        assert status == 0, out
        await until(lambda: states(platform)[-1] == State.OFFLINE)
        assert State.LOST not in states(platform)


async def test_a_kill_leaves_its_last_will(tmp_path):
    async with on_a_broker(tmp_path, "mosquitto") as (platform, config), agent(tmp_path, config) as one:
        await until(lambda: State.ONLINE in states(platform))
        one.process.kill()
        await until(lambda: states(platform)[-1] == State.LOST)


async def test_a_password_file_that_is_missing_keeps_it_from_starting(tmp_path):
    uplink = '[uplink.mqtt]\nurl = "mqtt://127.0.0.1:9"\npassword_file = "/nowhere/secret"\n'
    async with agent(tmp_path, scanner(tmp_path / "none") + uplink) as one:
        out, _ = await asyncio.wait_for(one.process.communicate(), SEEN_S_MAX)
    assert one.process.returncode == 1
    assert b"$.uplink.mqtt.password_file: /nowhere/secret is not there" in out
