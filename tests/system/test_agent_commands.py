"""What the platform asks of a terminal, from its command line to a real agent and back, over MQTT and over HTTP."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from agent.commands.run import RELOADED
from agent.core.commands import Outcome
from demo.processes import free_port
from fakes import brokers, chaos
from fakes.drain import TERMINAL, drain

ANSWERED_S_MAX = 30.0
CARRIED_S_MAX = 30.0


@asynccontextmanager
async def with_agent(folder, carrier: str):
    """Run platform and agent; over HTTP the broker is out of reach all the while, and hellos fetch the commands."""
    brokers.require("nats")
    port = free_port()
    async with drain(folder, "--mqtt", f"127.0.0.1:{port}") as field, chaos.before(port) as proxy:
        proxy.is_refusing = carrier == "http"
        field.configure(mqtt_port=proxy.port, http_port=field.http_port, more="[delivery]\nhello_interval_s = 1.0\n")
        field.fill(1)
        await field.agent.start()
        await field.until_held(1, CARRIED_S_MAX)
        async with asyncio.timeout(CARRIED_S_MAX):
            while (await field.status())["uplink"]["carrier"] != carrier:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield field


@pytest.mark.parametrize("carrier", ["mqtt", "http"])
async def test_each_command_is_carried_out_and_answered(tmp_path, carrier):
    async with with_agent(tmp_path, carrier) as field:
        for kind in ("refresh-trust", "diagnostics", "identify"):
            outcome, said = await field.answered(field.commanded(kind), ANSWERED_S_MAX)
            assert outcome == Outcome.DONE, said
            if kind == "diagnostics":
                assert json.loads(said)["terminal"] == TERMINAL
        await field.until_said(f"identify: this is terminal {TERMINAL} of site")
        assert field.said().count("identify: this is terminal") == 1


@pytest.mark.parametrize("carrier", ["mqtt", "http"])
async def test_reload_refuses_a_broken_file_and_the_agent_goes_on_and_takes_a_good_one(tmp_path, carrier):
    async with with_agent(tmp_path, carrier) as field:
        good = field.config.read_text()
        field.config.write_text(good + "[delivery]\nin_flight_max = 99\n")
        outcome, said = await field.answered(field.commanded("reload"), ANSWERED_S_MAX)
        assert outcome == Outcome.FAILED
        assert said.startswith("the configuration file was not taken: ")
        assert (await field.status())["terminal"] == TERMINAL
        field.config.write_text(good)
        process = field.agent._process
        outcome, said = await field.answered(field.commanded("reload"), ANSWERED_S_MAX)
        assert outcome == Outcome.DONE, said
        assert await asyncio.wait_for(process.wait(), ANSWERED_S_MAX) == RELOADED
        await field.agent.start()
        outcome, said = await field.answered(field.commanded("identify"), ANSWERED_S_MAX)
        assert outcome == Outcome.DONE, said
        assert field.said().count("ready; local API at") == 2, "the command to start anew is carried out once"
