"""The platform's HTTP: who may speak, what is refused and how it says so, the page, its events, registrations."""

import asyncio
import json

import aiohttp
import pytest
from vectors import generate

from platform_stub.wire import message


@pytest.fixture
def speaker(terminal):
    return terminal.fill(2)


def problem(answer):
    status, body = answer
    said = json.loads(body)
    assert said["status"] == status
    assert {"type", "title", "detail"} <= said.keys()
    return status, said["code"]


@pytest.mark.parametrize(
    ("name", "expected", "body"),
    [
        ("nothing", (400, "message.malformed"), lambda t: b""),
        ("garbage", (400, "message.malformed"), lambda t: b"\xff" * 100),
        ("a JSON object", (400, "message.malformed"), lambda t: b'{"terminal": "kiosk-1"}'),
        ("another terminal than the address", (409, "message.other-terminal"), lambda t: t.batch(f2="kiosk-2")),
        ("a head of another ledger", (409, "message.other-ledger"), lambda t: t.batch(f6=t.head(f2=bytes(16)))),
        ("a head of another terminal", (409, "message.other-ledger"), lambda t: t.batch(f6=t.head(f1="kiosk-2"))),
        ("a head with a flipped bit", (401, "terminal.signature"),
         lambda t: t.batch(f6=t.head()[:-1] + bytes([t.head()[-1] ^ 1]))),
        ("a head signed as a record", (401, "terminal.signature"), lambda t: t.batch(f6=generate.cose_sign1(
            t.key, "scanward-record-1", generate.cbor({1: t.id, 2: t.ledger_id, 3: 2, 4: t.hashes[2]})))),
        ("a head signed by a stranger", (401, "terminal.signature"), lambda t: t.batch(f6=generate.cose_sign1(
            generate.PLATFORM, "scanward-head-1", generate.cbor({1: t.id, 2: t.ledger_id, 3: 2, 4: t.hashes[2]})))),
        ("one byte too many", (413, "message.too-large"), lambda t: bytes(message.BATCH_BYTES_MAX + 1)),
        ("far too much", (413, "message.too-large"), lambda t: bytes(4 * message.BATCH_BYTES_MAX)),
    ],
)  # fmt: skip
async def test_a_bad_batch_is_refused_with_a_problem_and_stores_nothing(run_platform, speaker, name, expected, body):
    async with run_platform(speaker) as platform:
        assert problem(await platform.post(speaker, "batches", body(speaker))) == expected
        assert await platform.greet(speaker) == [0, speaker.hashes[0]]
        assert (await platform.send(speaker, speaker.batch()))[1] == 2


@pytest.mark.parametrize(
    ("name", "expected", "changes"),
    [
        ("another site", (409, "message.other-site"), {"f3": "elsewhere"}),
        ("only version 2", (400, "message.version"), {"f4": [2]}),
        ("no versions", (400, "message.malformed"), {"f4": []}),
        ("an unknown field", (400, "message.malformed"), {"f9": 0}),
    ],
)
async def test_a_bad_hello_is_refused_with_a_problem(run_platform, speaker, name, expected, changes):
    async with run_platform(speaker) as platform:
        assert problem(await platform.post(speaker, "hello", speaker.hello(**changes))) == expected


async def test_an_empty_ledger_with_a_wrong_hash_is_refused(run_platform, terminal):
    async with run_platform(terminal) as platform:
        body = terminal.hello(f7=terminal.head(f4=bytes(32)))
        assert problem(await platform.post(terminal, "hello", body)) == (400, "message.malformed")


async def test_a_message_of_another_type_is_refused(run_platform, speaker):
    async with run_platform(speaker) as platform:
        for kind in ("application/json", "application/octet-stream", "text/plain"):
            answer = await platform.post(speaker, "batches", speaker.batch(), {"Content-Type": kind})
            assert problem(answer) == (415, "message.type")


async def test_a_body_without_a_length_is_cut_at_the_limit(run_platform, speaker):
    async def endless():
        for _ in range(100):
            yield bytes(65_536)

    async with run_platform(speaker) as platform:
        assert problem(await platform.post(speaker, "batches", endless())) == (413, "message.too-large")
        assert problem(await platform.post(speaker, "hello", bytes(message.HELLO_BYTES_MAX + 1))) == (
            413,
            "message.too-large",
        )


async def test_unknown_addresses_and_methods_are_problems_too(run_platform):
    async with run_platform() as platform:
        for method, path, code in (("GET", "/nowhere", 404), ("GET", "/v1/terminals/kiosk-1/hello", 405)):
            async with platform.client.request(method, path) as answer:
                assert problem((answer.status, await answer.read())) == (code, f"http.{code}")
                assert answer.content_type == "application/problem+json"


async def test_a_terminal_registered_while_running_may_speak_at_once(run_platform, speaker):
    async with run_platform() as platform:
        assert problem(await platform.post(speaker, "hello", speaker.hello())) == (401, "terminal.unknown")
        platform.register(speaker)
        assert await platform.greet(speaker) == [0, speaker.hashes[0]]
        async with platform.client.get("/") as answer:
            assert "kiosk-1" in await answer.text()


async def test_a_terminal_registered_with_a_new_key_speaks_with_it(run_platform, make_terminal, speaker):
    renewed = make_terminal(label="the terminal's next key").fill(1)
    async with run_platform(speaker) as platform:
        await platform.greet(speaker)
        platform.register(renewed)
        assert await platform.greet(renewed) == [0, renewed.hashes[0]]
        assert problem(await platform.post(speaker, "hello", speaker.hello())) == (401, "terminal.signature")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("not JSON", b"{"),
        ("another kid", None),
        ("a directory's worth of bytes", b" " * 5000),
        ("an unknown field", {"more": 1}),
        ("a terminal id with a slash", {"terminal": "../../x"}),
        ("another algorithm", {"alg": "none"}),
        ("a key that is none", {"spki": "AAAA"}),
        ("a key with a trailing byte", {"spki": "MCowBQYDK2VwAyEAfReW+GcTL7lKJ/OgaPM0cCPK+Xvfjhsqeg7xdOY3ggA="}),
    ],
)
async def test_a_file_that_is_no_registration_is_left_out(run_platform, speaker, caplog, name, content):
    if content is None:
        content = {"kid": "00" * 8}
    if isinstance(content, dict):
        content = json.dumps(speaker.registration() | content).encode()
    async with run_platform() as platform:
        (platform.layout.terminals / "bad.json").write_bytes(content)
        assert problem(await platform.post(speaker, "hello", speaker.hello())) == (401, "terminal.unknown")
        assert "bad.json" in caplog.text
        platform.register(speaker)
        await platform.greet(speaker)


async def test_the_page_shows_records_with_a_masked_card_and_nothing_personal(run_platform, terminal, vectors):
    async with run_platform(terminal) as platform:
        await platform.send(terminal, bytes.fromhex(vectors("batch")["batch"]))
        async with platform.client.get("/") as answer:
            page = await answer.text()
            policy = answer.headers["Content-Security-Policy"]
    card = generate.CARD.hex()
    assert f"<td>{card[:4]}…</td>" in page
    assert card[:6] not in page.lower()
    assert "signature.invalid" in page
    assert "default-src 'none'" in policy
    assert "http://" not in page
    assert "https://" not in page


async def test_what_terminals_say_is_escaped_on_the_page(run_platform, terminal):
    async with run_platform(terminal) as platform:
        await platform.greet(terminal, f5="<script>alert(1)</script>")
        async with platform.client.get("/") as answer:
            page = await answer.text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_a_record_sealed_for_others_or_damaged_shows_as_sealed(run_platform, terminal):
    terminal.add(f7=bytes(8), f8=[bytes(12), bytes(40)])
    terminal.add_raw(terminal.sign({**{k: terminal.body()[k] for k in (1, 2, 3, 4)}, 5: 6, 6: terminal.body()[6],
                                    7: bytes(8), 9: [[generate.kid(generate.SEAL), bytes(80)]]}))  # fmt: skip
    async with run_platform(terminal) as platform:
        assert (await platform.send(terminal, terminal.batch()))[1] == 2
        for _ in range(2):
            async with platform.client.get("/") as answer:
                assert "<td>sealed</td>" in await answer.text()


async def test_the_events_show_a_change_as_it_is_committed(run_platform, speaker):
    async with run_platform(speaker) as platform, platform.client.get("/v1/events") as events:
        assert events.content_type == "text/event-stream"
        assert "simulated/1" not in await next_event(events)
        await platform.greet(speaker)
        assert "simulated/1" in await next_event(events)


async def test_an_open_event_stream_does_not_hold_up_the_end(run_platform, speaker):
    async with asyncio.timeout(10), run_platform(speaker) as platform:
        events = await platform.client.get("/v1/events")
        await next_event(events)


async def test_no_more_event_streams_than_the_limit(run_platform):
    async with run_platform() as platform:
        streams = [await platform.client.get("/v1/events") for _ in range(20)]
        async with platform.client.get("/v1/events") as answer:
            assert problem((answer.status, await answer.read())) == (503, "events.too-many")
        for stream in streams:
            stream.close()


async def next_event(events: aiohttp.ClientResponse) -> str:
    async with asyncio.timeout(10):
        lines = []
        async for line in events.content:
            if line.strip():
                lines.append(line.decode())
            elif lines:
                return "".join(lines)
    raise AssertionError("the stream ended")


async def test_health_is_answered(run_platform):
    async with run_platform() as platform, platform.client.get("/healthz") as answer:
        assert await answer.json() == {"status": "ok"}
