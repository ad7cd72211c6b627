"""The online verifier against a real server on loopback that is slow, talks nonsense, or goes away."""

import asyncio
import json
import socket

import cbor2
import pytest
from aiohttp import web

from agent.adapters.uplinks.http import Settings
from agent.adapters.uplinks.online import HttpOnlineVerifier
from agent.core.online import VERIFICATION_BYTES_MAX, Question
from agent.ports import PlatformRejected, PlatformUnreachable
from fakes.ledger_parts import LabelSigner

CBOR = "application/cbor"
QUESTION = Question(b"a" * 16, "kiosk-1", "demo", "payment", "national", b"an invented code", 1_800_000_000_000)


def verifier(url: str) -> HttpOnlineVerifier:
    return HttpOnlineVerifier(Settings(url=url), LabelSigner())


def answering(**kwargs):
    async def handler(_request):
        return web.Response(**kwargs)

    return handler


async def test_the_question_is_posted_signed_and_the_answer_comes_back_as_it_is(serve, vectors):
    seen = []

    async def handler(request):
        seen.append((request.method, request.path, request.content_type, await request.read()))
        return web.Response(body=b"\x00signed\xff", content_type=CBOR)

    online = vectors("online")
    question = Question(
        bytes.fromhex(online["attempt_id"]), "kiosk-1", "demo", "payment", "national", online["code"].encode(),
        online["now_s"] * 1000,
    )  # fmt: skip
    async with verifier(await serve(handler) + "/") as one:
        assert await one.verify(question, budget_s=5) == b"\x00signed\xff"
    assert seen == [("POST", "/v1/codes/verify", CBOR, bytes.fromhex(online["request"]))]
    assert cbor2.loads(cbor2.loads(seen[0][3]).value[2])[6] == online["code"].encode()


async def test_a_platform_that_is_slow_costs_the_budget_and_no_more(serve):
    never = asyncio.Event()

    async def handler(_request):
        await never.wait()

    loop = asyncio.get_running_loop()
    async with verifier(await serve(handler)) as one:
        before_s = loop.time()
        with pytest.raises(PlatformUnreachable, match="in time"):
            await one.verify(QUESTION, budget_s=0.2)
        assert 0.19 <= loop.time() - before_s < 2.0
    never.set()


async def test_an_answer_that_trickles_in_costs_the_budget_and_no_more(serve):
    async def handler(request):
        response = web.StreamResponse(headers={"Content-Type": CBOR})
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    async with verifier(await serve(handler)) as one:
        with pytest.raises(PlatformUnreachable, match="in time"):
            await one.verify(QUESTION, budget_s=0.3)


@pytest.mark.parametrize("status", [500, 503, 429, 301, 302, 204])
async def test_a_status_that_may_pass_is_no_answer_and_a_redirect_is_not_followed(serve, status):
    seen = []

    async def handler(request):
        seen.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status < 400 else {})

    async with verifier(await serve(handler)) as one:
        with pytest.raises(PlatformUnreachable, match=str(status)):
            await one.verify(QUESTION, budget_s=5)
    assert seen == ["/v1/codes/verify"]


async def test_a_platform_that_does_not_verify_codes_says_so(serve):
    problem = answering(status=404, text=json.dumps({"title": "no such call"}), content_type="application/problem+json")
    async with verifier(await serve(problem)) as one:
        with pytest.raises(PlatformRejected, match="404 no such call"):
            await one.verify(QUESTION, budget_s=5)


async def test_a_login_page_is_no_answer(serve):
    url = await serve(answering(text="<html>please log in</html>", content_type="text/html"))
    async with verifier(url) as one:
        with pytest.raises(PlatformUnreachable, match="login page"):
            await one.verify(QUESTION, budget_s=5)


async def test_an_oversize_answer_is_cut(serve):
    url = await serve(answering(body=b"x" * (VERIFICATION_BYTES_MAX + 1), content_type=CBOR))
    async with verifier(url) as one:
        with pytest.raises(PlatformUnreachable, match="not the platform"):
            await one.verify(QUESTION, budget_s=5)


async def test_a_closed_port_is_unreachable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with verifier(f"http://127.0.0.1:{port}") as one:
        with pytest.raises(PlatformUnreachable, match="no connection"):
            await one.verify(QUESTION, budget_s=5)
        with pytest.raises(PlatformUnreachable, match="no connection"):
            await one.make_ready()


async def test_the_connection_made_ready_is_the_one_that_is_used(serve):
    peers = []

    async def handler(request):
        peers.append((request.method, request.transport.get_extra_info("peername")))
        return web.Response(body=b"signed", content_type=CBOR)

    async with verifier(await serve(handler)) as one:
        await one.make_ready()
        await one.verify(QUESTION, budget_s=5)
        await one.make_ready()
    assert [method for method, _ in peers] == ["GET", "POST", "GET"]
    assert len({peer for _, peer in peers}) == 1


async def test_an_idle_connection_that_the_platform_closed_costs_no_answer(vectors):
    asked = []

    async def speak(reader, writer):
        """Answer one request, then close at the next without a word; a new connection is answered again."""
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
            )
            await reader.readexactly(length)
            asked.append(head.split(b" ")[0])
            if len(asked) == 2:
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\nContent-Length: 6\r\n\r\nsigned")
            if len(asked) == 3:
                await writer.drain()
                break
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server, verifier(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as one:
        await one.make_ready()
        assert await one.verify(QUESTION, budget_s=5) == b"signed"
    assert asked == [b"GET", b"POST", b"POST"]


async def test_it_is_used_only_inside_its_context():
    with pytest.raises(RuntimeError, match="context"):
        await verifier("http://127.0.0.1:9").verify(QUESTION, budget_s=1)
