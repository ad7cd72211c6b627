"""One contract for every uplink: over HTTP, and over MQTT by NATS and by Mosquitto, to the same platform."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import cbor2
import pytest
from aiohttp import web

from agent.adapters.uplinks.http import CBOR, HttpUplink
from agent.adapters.uplinks.http import Settings as HttpSettings
from agent.adapters.uplinks.mqtt import Events, MqttUplink
from agent.adapters.uplinks.mqtt import Settings as MqttSettings
from agent.core.delivery import encode_batch, encode_hello
from agent.core.status import State, encode_status
from agent.core.transaction import sign_head
from agent.ports import PlatformRejected, PlatformUnreachable, Uplink
from fakes import brokers
from fakes.ledger_parts import LabelSigner, draft, open_ledger
from fakes.mqtt_platform import MqttPlatform, serving
from fakes.platform import FakePlatform
from fakes.world import SeededRandomness

CARRIERS = ("http", "nats", "mosquitto")
TERMINAL, SITE = "kiosk-1", "demo"


@dataclass
class Way:
    """An uplink and the platform at its other end."""

    uplink: Uplink
    platform: FakePlatform
    ledger_id: bytes
    records: list
    head: bytes
    empty_head: bytes

    def hello(self, id_: bytes = b"h" * 16) -> bytes:
        return encode_hello(id_, TERMINAL, SITE, "scanward/test", self.ledger_id, self.empty_head, 0)

    def batch(self, id_: bytes = b"b" * 16) -> bytes:
        return encode_batch(id_, TERMINAL, self.ledger_id, self.records, self.head)


def password_file(tmp_path, user: brokers.User = brokers.ANYONE) -> str:
    path = tmp_path / f"password-of-{user.name}"
    path.write_text(user.password + "\n")
    return str(path)


def will() -> bytes:
    return encode_status(LabelSigner(), TERMINAL, SITE, State.LOST, 1, "scanward/test", {})


def nothing() -> Events:
    return Events(command=lambda _: None, trust=lambda _: None, connected=lambda: None)


@asynccontextmanager
async def over_mqtt(kind: str, platform: FakePlatform, tmp_path) -> AsyncIterator[Uplink]:
    async with brokers.running(kind, tmp_path / kind) as broker, serving(MqttPlatform(platform, broker)):
        settings = MqttSettings(
            url=broker.url, username=brokers.ANYONE.name, password_file=password_file(tmp_path), receipt_timeout_s=1.0
        )
        uplink = MqttUplink(settings, TERMINAL, SITE, last_will=will, events=nothing(), randomness=SeededRandomness())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(uplink.run())
            yield uplink
            task.cancel()


@asynccontextmanager
async def over_http(platform: FakePlatform) -> AsyncIterator[Uplink]:
    async def serve(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            match request.match_info["call"]:
                case "hello":
                    return web.Response(body=await platform.hello(body), content_type=CBOR)
                case "batches":
                    return web.Response(body=await platform.send(body), content_type=CBOR)
                case "status":
                    await platform.tell_status(body)
                case "answers":
                    await platform.tell_answer(body)
            return web.Response(status=204)
        except PlatformRejected as error:
            status, _, text = error.reason.partition(" ")
            problem = web.json_response({"title": text}, status=int(status))
            problem.content_type = "application/problem+json"
            return problem
        except PlatformUnreachable:
            return web.Response(status=503)

    app = web.Application()
    app.router.add_post("/v1/terminals/kiosk-1/{call}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with HttpUplink(HttpSettings(url=url), TERMINAL) as uplink:
            yield uplink
    finally:
        await runner.cleanup()


@pytest.fixture(params=CARRIERS)
async def way(request, tmp_path) -> AsyncIterator[Way]:
    platform = FakePlatform(LabelSigner("platform receipt")._key)
    file = open_ledger(tmp_path / "ledger.sqlite")
    empty_head = sign_head(file.chain, LabelSigner())
    file.commit([draft(number) for number in range(20)])
    records = list(file.read(0, records_max=200, bytes_max=10**6))
    head, ledger_id = file.sign_head_of(records[-1]), file.chain.ledger_id
    file.close()
    carrier = over_http(platform) if request.param == "http" else over_mqtt(request.param, platform, tmp_path)
    async with carrier as uplink:
        yield Way(uplink, platform, ledger_id, records, head, empty_head)


async def test_its_cursor_is_the_platforms_whatever_carries_the_bytes(way):
    assert way.uplink.name == "platform"


async def test_a_hello_is_answered(way):
    answer = cbor2.loads(await way.uplink.hello(way.hello()))
    assert set(answer) == {1, 2, 3}
    assert way.platform.hellos == 1


async def test_a_batch_is_answered_by_its_own_receipt(way):
    await way.uplink.hello(way.hello())
    batches = [way.batch(bytes([number]) * 16) for number in range(8)]
    receipts = await asyncio.gather(*(way.uplink.send(batch) for batch in batches))
    about = [cbor2.loads(cbor2.loads(receipt).value[2])[1] for receipt in receipts]
    assert about == [bytes([number]) * 16 for number in range(8)]
    assert len(way.platform.records) == 20


@pytest.mark.parametrize(("status", "is_whole"), [(422, False), (413, False), (403, True), (404, True)])
async def test_a_refusal_says_whether_it_is_about_the_batch_or_the_terminal(way, status, is_whole):
    way.platform._troubles = iter([PlatformRejected(f"{status} no\u0007 such thing", whole=is_whole)])
    with pytest.raises(PlatformRejected) as caught:
        await way.uplink.hello(way.hello())
    assert caught.value.whole is is_whole
    assert caught.value.reason == f"{status} no such thing"


async def test_a_lost_answer_is_given_up_and_the_next_one_is_heard(way):
    await way.uplink.hello(way.hello())
    way.platform._troubles = iter(["lost"])
    with pytest.raises(PlatformUnreachable):
        await way.uplink.send(way.batch())
    assert await way.uplink.send(way.batch(b"c" * 16))


async def test_a_platform_that_is_overloaded_is_asked_again_later(way):
    way.platform._troubles = iter([PlatformRejected("503 busy", whole=True)])
    with pytest.raises(PlatformUnreachable, match="503"):
        await way.uplink.hello(way.hello())


async def test_a_status_and_the_answer_to_a_command_arrive(way):
    status = encode_status(LabelSigner(), TERMINAL, SITE, State.ONLINE, 1, "scanward/test", {"waiting": 7})
    await way.uplink.tell_status(status)
    await way.uplink.tell_answer(status)
    async with asyncio.timeout(5):
        while not (way.platform.statuses and way.platform.answers):  # noqa: ASYNC110 - another process passes it on
            await asyncio.sleep(0.01)
    assert way.platform.statuses[0][6] == '{"waiting":7}'


async def test_it_may_be_told_that_an_answer_was_not_the_platforms(way):
    answer = await way.uplink.hello(way.hello())
    way.uplink.distrust(answer)
    assert await way.uplink.hello(way.hello(b"i" * 16)), "a single way stays in use"
