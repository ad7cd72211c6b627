"""The console over real HTTP: events in order, strangers refused, slow listeners dropped, nothing personal."""

import asyncio
import io
import json

import aiohttp
import pytest

from agent.adapters.console.console import EVENTS_WAITING_MAX, LISTENERS_MAX, Console
from agent.adapters.console.server import ConsoleServer, Settings
from agent.adapters.console.texts import has_sentence, text_for
from agent.core.decision import Answer, Decision
from agent.core.transaction import Transaction
from agent.core.verdict import Claims, CodeType, Outcome, Verdict
from agent.ports import AddressInUse

CARD = bytes(range(32))
VERDICT = Verdict(
    "ehc", Outcome.VERIFIED, "ok", Claims(type=CodeType.DYNAMIC, issuer="4420", card=CARD, token=b"t" * 16)
)
ACCEPTED = Decision(Answer.ACCEPT, "ok", "payment", VERDICT)


def transaction(seq: int = 1) -> Transaction:
    return Transaction(b"L" * 16, seq, bytes([seq % 256]) * 32)


async def status():
    return {"terminal": "kiosk-1"}


@pytest.fixture
async def served():
    console = Console(lines_to=None)
    server = ConsoleServer(Settings(listen="127.0.0.1:0"), console, status)
    await server.start()
    async with aiohttp.ClientSession(server.address) as client:
        yield console, server, client
    await server.stop()


async def next_event(stream) -> tuple[str, dict]:
    topic, data = "", {}
    async with asyncio.timeout(5):
        async for line in stream.content:
            text = line.decode().rstrip("\r\n")
            if text.startswith("event: "):
                topic = text[7:]
            elif text.startswith("data: "):
                data = json.loads(text[6:])
            elif not text and topic:
                return topic, data
    raise AssertionError("the stream ended")


async def test_a_decision_reaches_a_listener_without_anything_personal(served):
    console, _, client = served
    async with client.get("/v1/events") as stream:
        assert stream.content_type == "text/event-stream"
        await console.show("desk", ACCEPTED, transaction(7))
        topic, event = await next_event(stream)
    assert topic == "decision"
    assert (event["seq"], event["answer"], event["step"], event["type"]) == (7, "accept", "payment", "dynamic")
    assert event["hash"] == (b"\x07" * 32).hex()
    assert CARD.hex()[:8] not in json.dumps(event)
    assert (b"t" * 16).hex() not in json.dumps(event)


async def test_a_listener_that_comes_back_gets_what_it_missed_once(served):
    console, _, client = served
    for seq in (1, 2, 3):
        await console.show("desk", ACCEPTED, transaction(seq))
    async with client.get("/v1/events", headers={"Last-Event-ID": "1"}) as stream:
        await console.show("desk", ACCEPTED, transaction(4))
        assert [(await next_event(stream))[1]["seq"] for _ in range(3)] == [2, 3, 4]


@pytest.mark.parametrize("last", ["", "x", "-1", "9" * 40, "٣"])
async def test_garbage_in_last_event_id_is_ignored(served, last):
    console, _, client = served
    async with client.get("/v1/events", headers={"Last-Event-ID": last}) as stream:
        assert stream.status == 200
        await console.notice("uplink", "the platform answers")
        assert (await next_event(stream))[1]["topic"] == "uplink"


async def test_a_listener_that_does_not_keep_up_is_dropped_and_nobody_waits():
    console = Console(lines_to=None)
    slow, quick = console.listen(), console.listen()
    for seq in range(1, EVENTS_WAITING_MAX + 2):
        await console.show("desk", ACCEPTED, transaction(seq))
        assert (await quick.next()).number == seq
    assert slow.is_dropped
    assert not quick.is_dropped


async def test_there_is_a_limit_to_listeners(served):
    console, _, client = served
    for _ in range(LISTENERS_MAX):
        assert console.listen() is not None
    async with client.get("/v1/events") as answer:
        assert answer.status == 503
        assert (await answer.json())["title"] == "too many listeners"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8765"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "localhost:8765"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_foreign_hosts_and_origins_are_refused(served, headers, status):
    _, _, client = served
    async with client.get("/v1/status", headers=headers) as answer:
        assert answer.status == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("POST", "/v1/events", 405), ("DELETE", "/v1/status", 405), ("GET", "/%00", 404)],
)
async def test_garbage_on_the_api_gets_a_problem(served, method, path, status):
    _, _, client = served
    async with client.request(method, path, data=b"\xff" * 100) as answer:
        assert answer.status == status
        assert answer.content_type == "application/problem+json"


async def test_garbage_below_http_does_not_disturb_the_server(served):
    _, server, client = served
    port = int(server.address.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x00\xff" * 4_000 + b"\r\n\r\n")
    assert b"400" in await asyncio.wait_for(reader.read(200), 5)
    writer.close()
    async with client.get("/healthz") as answer:
        assert await answer.text() == "ok\n"


async def test_status_is_json(served):
    _, _, client = served
    async with client.get("/v1/status") as answer:
        assert await answer.json() == {"terminal": "kiosk-1"}


async def test_a_port_in_use_is_said_plainly(served):
    _, server, _ = served
    second = ConsoleServer(Settings(listen=server.address.removeprefix("http://")), Console(lines_to=None), status)
    with pytest.raises(AddressInUse, match=r"another agent running.*\[console\] listen"):
        await second.start()


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:1", "192.0.2.1:1", "localhost:1", "127.0.0.1", "127.0.0.1:99999", ":1", ""]
)
def test_the_local_api_listens_on_loopback_only(listen):
    with pytest.raises(ValueError, match="loopback"):
        Settings(listen=listen)


async def test_lines_on_the_terminal_say_answer_and_reason():
    out = io.StringIO()
    console = Console(lines_to=out)
    await console.show("desk", ACCEPTED, transaction(3))
    await console.notice("scanner", "desk is absent")
    assert out.getvalue().splitlines()[0].startswith("[ OK ] #3 desk payment accept ok")
    assert "desk is absent" in out.getvalue()
    assert CARD.hex()[:6] not in out.getvalue()


async def test_a_terminal_that_is_gone_does_not_stop_the_agent():
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    console = Console(lines_to=Gone())
    await console.show("desk", ACCEPTED, transaction())
    await console.show("desk", ACCEPTED, transaction())


@pytest.mark.parametrize("reason", ["policy.dynamic-required", "decode.base45", "policy.whatever", "made.up"])
def test_every_reason_has_a_sentence_in_both_languages(reason):
    text = text_for(Decision(Answer.REFUSE, reason, "payment", Verdict("ehc", Outcome.REFUSED, reason)))
    assert text["zh"].startswith("未通过")
    assert text["en"].startswith("Not accepted")
    assert has_sentence(reason) is (reason != "made.up")


def test_an_unverifiable_code_is_never_called_genuine():
    verdict = Verdict("national", Outcome.UNVERIFIABLE, "family.no-offline-proof")
    for answer in (Answer.PROVISIONAL, Answer.ASK):
        text = text_for(Decision(answer, "family.no-offline-proof", "registration", verdict))
        assert "genuine" not in text["en"]
        assert "cannot be checked" in text["en"]
