"""The console over real HTTP: events in order, strangers refused, slow listeners dropped, nothing personal."""

import asyncio
import io
import json

import aiohttp
import pytest

from agent.adapters.console.console import EVENTS_WAITING_MAX, LISTENERS_MAX, NOTICES_MAX, Console
from agent.adapters.console.lines import Lines
from agent.adapters.console.server import CONNECTIONS_MAX, ConsoleServer, Settings
from agent.adapters.console.texts import has_sentence, text_for
from agent.core.decision import Answer, Decision
from agent.core.transaction import Transaction
from agent.core.verdict import Claims, CodeType, Outcome, Verdict
from agent.ports import AddressInUse
from fakes.console_parts import TOKEN, next_event
from fakes.console_parts import served as serve

CARD = bytes(range(32))
VERDICT = Verdict(
    "ehc", Outcome.VERIFIED, "ok", Claims(type=CodeType.DYNAMIC, issuer="4420", card=CARD, token=b"t" * 16)
)
ACCEPTED = Decision(Answer.ACCEPT, "ok", "payment", VERDICT)


def transaction(seq: int = 1) -> Transaction:
    return Transaction(b"L" * 16, seq, bytes([seq % 256]) * 32)


@pytest.fixture
async def served(tmp_path):
    async with serve(tmp_path) as one, one.client() as client:
        yield one.console, one.server, client


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


async def forgotten(console: Console, count: int) -> None:
    """Return once the console has so many listeners; nothing is published meanwhile."""
    async with asyncio.timeout(5):
        while len(console._listeners) != count:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_listener_that_leaves_a_quiet_terminal_is_forgotten_at_once(served):
    console, _, client = served
    streams = [await client.get("/v1/events") for _ in range(LISTENERS_MAX)]
    await forgotten(console, LISTENERS_MAX)
    for stream in streams:
        stream.close()
    await forgotten(console, 0)


async def test_with_too_many_listeners_the_oldest_goes_and_the_newest_gets_in(served):
    console, _, client = served
    streams = [await client.get("/v1/events") for _ in range(LISTENERS_MAX)]
    async with client.get("/v1/events") as newest:
        assert newest.status == 200
        async with asyncio.timeout(5):
            assert await streams[0].content.read() == b""
        await console.notice("uplink", "the platform answers")
        for stream in (newest, *streams[1:]):
            assert (await next_event(stream))[1]["topic"] == "uplink"
    for stream in streams:
        stream.close()


async def hung_up(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(5):
            return await reader.read() == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "])
async def test_a_connection_that_asks_nothing_is_closed(tmp_path, said):
    async with serve(tmp_path, silence_s_max=0.1) as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(said)
        assert await hung_up(reader)
        writer.close()


async def test_a_new_page_gets_in_at_once_while_silent_strangers_hold_every_connection(served):
    _, server, _ = served
    port = int(server.address.rpartition(":")[2])
    strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
    async with asyncio.timeout(5):
        while len(server._runner.server.connections) < CONNECTIONS_MAX:  # noqa: ASYNC110
            await asyncio.sleep(0)
        async with aiohttp.ClientSession(server.address) as page, page.get("/healthz") as answer:
            assert answer.status == 200
        assert await hung_up(strangers[0][0]), "the one that was silent longest gives way"
    assert len(server._runner.server.connections) <= CONNECTIONS_MAX
    for _, writer in strangers:
        writer.close()


async def test_a_call_in_progress_does_not_give_way_to_a_flood_of_connections(served):
    console, server, client = served
    port = int(server.address.rpartition(":")[2])
    async with client.get("/v1/events") as stream:
        flood = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2 * CONNECTIONS_MAX)]
        await console.notice("uplink", "the platform answers")
        assert (await next_event(stream))[1]["topic"] == "uplink"
        assert len(server._runner.server.connections) <= CONNECTIONS_MAX
    for _, writer in flood:
        writer.close()


async def test_a_new_page_gets_in_at_once_while_strangers_send_bodies_that_never_come(served):
    _, server, _ = served
    port = int(server.address.rpartition(":")[2])
    head = "POST /v1/sign-in HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
    for _, writer in strangers:
        writer.write(head.encode())
    async with asyncio.timeout(5):
        while server._runner.server.requests_count < CONNECTIONS_MAX:  # noqa: ASYNC110
            await asyncio.sleep(0)
        async with aiohttp.ClientSession(server.address) as page, page.get("/healthz") as answer:
            assert answer.status == 200
    for _, writer in strangers:
        writer.close()


async def test_where_all_connections_are_busy_new_ones_are_refused_and_it_is_told_once(served, caplog):
    _, server, _ = served
    port = int(server.address.rpartition(":")[2])
    never = asyncio.Event()

    async def status() -> dict[str, object]:
        await never.wait()
        return {}

    object.__setattr__(server.parts, "status", status)
    head = f"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
    for _, writer in busy:
        writer.write(head.encode())
    async with asyncio.timeout(5):
        while server._idle:  # noqa: ASYNC110
            await asyncio.sleep(0)
        late = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert [await hung_up(reader) for reader, _ in late] == [True] * 3
    assert [r.getMessage() for r in caplog.records if "too many busy" in r.getMessage()] == [
        f"too many busy connections to the local API: more than {CONNECTIONS_MAX} are refused"
    ]
    for _, writer in busy + late:
        writer.close()


async def test_what_a_connection_leaves_behind_is_bounded(served):
    _, server, _ = served
    port = int(server.address.rpartition(":")[2])
    for _ in range(3 * CONNECTIONS_MAX):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    assert len(server._idle) <= CONNECTIONS_MAX + 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8765"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "localhost:8765"}, 200),
        ({"Host": "[::1]:8765"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "someone@localhost:8765"}, 403),
        ({"Host": "localhost:8765/x"}, 403),
        ({"Host": "localhost:"}, 403),
        ({"Host": "localhost:123456"}, 403),
        ({"Host": "localhost:٣"}, 403),
        ({"Host": "localhost#.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ([("Host", "localhost"), ("Host", "evil.example")], 403),
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
        assert (await answer.json())["terminal"] == "kiosk-1"


async def test_a_port_in_use_is_said_plainly(served):
    _, server, _ = served
    second = ConsoleServer(Settings(listen=server.address.removeprefix("http://")), server.parts)
    with pytest.raises(AddressInUse, match=r"another agent running.*\[console\] listen"):
        await second.start()


@pytest.mark.parametrize(
    "listen",
    [
        "0.0.0.0:1",
        "192.0.2.1:1",
        "localhost:1",
        "127.0.0.1",
        "127.0.0.1:99999",
        ":1",
        "",
        "127.0.0.1:٣",
        "127.0.0.1:",
        "::1:8765",
        "[::1:8765",
        "127.0.0.1:8765 ",
        "]]::1[[:1",
    ],
)
def test_the_local_api_listens_on_loopback_only(listen):
    with pytest.raises(ValueError, match="loopback"):
        Settings(listen=listen)


async def test_lines_on_the_terminal_say_answer_and_reason():
    out = io.StringIO()
    lines = Lines(out)
    console = Console(lines_to=lines)
    await console.show("desk", ACCEPTED, transaction(3))
    await console.notice("scanner", "desk is absent")
    lines.close()
    assert out.getvalue().splitlines()[0].startswith("[ OK ] #3 desk payment accept ok")
    assert "desk is absent" in out.getvalue()
    assert CARD.hex()[:6] not in out.getvalue()


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


NAMED = Decision(
    Answer.ACCEPT,
    "ok",
    "payment",
    Verdict("national", Outcome.VERIFIED, "ok", Claims(masked_name="张*"), attempt_id=b"a" * 16),
)


async def test_a_masked_name_is_told_to_those_who_listen_now_and_never_again(served):
    console, _, client = served
    async with client.get("/v1/events") as stream:
        await console.show("desk", NAMED, transaction(1))
        _, event = await next_event(stream)
    assert (event["name"], event["proof"]) == ("张*", "online")
    async with client.get("/v1/events", headers={"Last-Event-ID": "0"}) as stream:
        _, event = await next_event(stream)
    assert event["seq"] == 1
    assert "张" not in json.dumps(event, ensure_ascii=False)


async def test_a_masked_name_is_in_no_line():
    stream = io.StringIO()
    lines = Lines(stream)
    await Console(lines_to=lines).show("desk", NAMED, transaction(1))
    lines.close()
    assert "national, verified" in stream.getvalue()
    assert "张" not in stream.getvalue()


def test_a_code_the_platform_did_not_settle_says_so():
    verdict = Verdict("national", Outcome.UNVERIFIABLE, "online.no-answer", unchecked=("online",))
    refused = text_for(Decision(Answer.REFUSE, "online.no-answer", "payment", verdict))
    assert "does not answer" in refused["en"]
    assert "平台没有应答" in refused["zh"]
    assert "staff will check" in text_for(Decision(Answer.PROVISIONAL, "online.no-answer", "payment", verdict))["en"]


async def test_what_one_patient_is_told_does_not_push_out_what_staff_must_read():
    console = Console(lines_to=None)
    await console.notice("scanner", "desk is absent")
    for _ in range(NOTICES_MAX):
        await console.notice("parts", "this card has 2 codes: show 2 too")
    assert [notice["topic"] for notice in console.notices()] == ["scanner"]
