"""Brokers that refuse, forget or lie, between a real agent and a real platform: nothing is lost, people hear of it."""

import pytest

from fakes import brokers
from fakes.drain import UP, on_a_broker
from fakes.ledger_parts import LabelSigner
from fakes.mqtt_platform import MqttPlatform, serving
from fakes.platform import FakePlatform

RECORDS = 3_000
MANY = 20_000
ARRIVED_S_MAX = 60.0
IMPATIENT = "receipt_timeout_s = 1.0\n"


@pytest.mark.parametrize("kind", brokers.BROKERS)
@pytest.mark.parametrize("what", ["publish", "batches", "subscribe"])
async def test_a_broker_that_refuses_the_terminal_is_left_for_http_aloud(tmp_path, kind, what):
    rights = {
        "publish": {"publish": ("elsewhere",)},
        "batches": {"publish": (UP[0].replace("#", "hello"), UP[0].replace("#", "status"))},
        "subscribe": {"subscribe": ("elsewhere",)},
    }[what]
    async with on_a_broker(tmp_path, kind, **rights) as (field, broker):
        field.configure(mqtt_port=broker.port, http_port=field.http_port, mqtt=IMPATIENT)
        hashes = field.fill(RECORDS)
        await field.agent.start()
        await field.until_held(RECORDS, ARRIVED_S_MAX)
        await field.until_settled(RECORDS)
        await field.until_said("uplink: records go by way of http: mqtt does not work: ")
        field.assert_all_arrived(hashes)


@pytest.mark.parametrize("kind", brokers.BROKERS)
async def test_a_broker_that_is_killed_and_has_forgotten_everything_loses_no_record(tmp_path, kind):
    async with on_a_broker(tmp_path, kind) as (field, broker):
        field.configure(mqtt_port=broker.port)
        hashes = field.fill(MANY)
        await field.agent.start()
        for held in (2_000, 8_000):
            await field.until_held(held, ARRIVED_S_MAX)
            await broker.kill()
            assert field.held() < MANY, "too fast to be killed: the test proves nothing"
            broker.forget()
            await broker.start()
        await field.until_held(MANY, ARRIVED_S_MAX)
        await field.until_settled(MANY)
        field.assert_all_arrived(hashes)


async def test_receipts_forged_by_another_client_move_nothing_and_http_takes_over(tmp_path):
    """Its access list is wrong: another client hears what the terminal says and is quicker than the platform."""
    forger = FakePlatform(LabelSigner("forger")._key)
    async with (
        on_a_broker(tmp_path, "mosquitto", brokers.ANYONE) as (field, broker),
        serving(MqttPlatform(forger, broker)),
    ):
        field.configure(mqtt_port=broker.port, http_port=field.http_port, mqtt=IMPATIENT)
        hashes = field.fill(RECORDS)
        await field.agent.start()
        await field.until_held(RECORDS, ARRIVED_S_MAX)
        await field.until_settled(RECORDS)
        assert forger.hellos >= 1
        await field.until_said("the answer is not the platform's and was ignored")
        field.assert_all_arrived(hashes)
