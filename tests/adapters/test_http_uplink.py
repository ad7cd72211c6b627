"""The HTTP uplink against a real server on loopback that misbehaves in every way a network does."""

import asyncio
import socket

import pytest
from aiohttp import web

from agent.adapters.uplinks.http import ANSWER_BYTES_MAX, SCHEMES, HttpUplink, Settings
from agent.adapters.uplinks.urls import url_fault
from agent.ports import PlatformRejected, PlatformUnreachable

CBOR = "application/cbor"


def answering(**kwargs):
    async def handler(_request):
        return web.Response(**kwargs)

    return handler


async def test_a_batch_is_posted_as_it_is_and_the_answer_comes_back_as_it_is(serve):
    seen = []

    async def handler(request):
        seen.append((request.method, request.path, request.content_type, await request.read()))
        return web.Response(body=b"\x00receipt\xff", content_type=CBOR)

    async with HttpUplink(Settings(url=await serve(handler) + "/"), "kiosk-1") as uplink:
        assert await uplink.send(b"\x01batch\xfe") == b"\x00receipt\xff"
        assert await uplink.hello(b"hi") == b"\x00receipt\xff"
    assert seen == [
        ("POST", "/v1/terminals/kiosk-1/batches", CBOR, b"\x01batch\xfe"),
        ("POST", "/v1/terminals/kiosk-1/hello", CBOR, b"hi"),
    ]


@pytest.mark.parametrize("status", [500, 502, 503, 408, 429, 301, 302, 204])
async def test_a_status_that_may_pass_means_try_later(serve, status):
    headers = {"Location": "/elsewhere"} if status in {301, 302} else {}
    url = await serve(answering(status=status, headers=headers))
    async with HttpUplink(Settings(url=url), "kiosk-1") as uplink:
        with pytest.raises(PlatformUnreachable, match=str(status)):
            await uplink.send(b"batch")


@pytest.mark.parametrize(
    ("status", "whole"), [(400, False), (413, False), (422, False), (401, True), (403, True), (404, True)]
)
async def test_a_refusal_says_whether_it_is_about_this_batch_or_this_terminal(serve, status, whole):
    problem = answering(
        status=status, body=b'{"title": "no\\u0000 such thing"}', content_type="application/problem+json"
    )
    async with HttpUplink(Settings(url=await serve(problem)), "kiosk-1") as uplink:
        with pytest.raises(PlatformRejected) as caught:
            await uplink.send(b"batch")
    assert caught.value.whole is whole
    assert caught.value.reason == f"{status} no such thing"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>404</html>", b"{", b"[]", b'{"title": 7}', b'{"detail":"\xff\xfe"}', b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)  # fmt: skip
async def test_a_malformed_problem_is_no_problem(serve, body):
    async with HttpUplink(
        Settings(url=await serve(answering(status=404, body=body, content_type="application/problem+json"))), "kiosk-1"
    ) as uplink:
        with pytest.raises(PlatformRejected, match="404"):
            await uplink.send(b"batch")


async def test_a_login_page_is_not_the_platform(serve):
    url = await serve(answering(text="<html>please log in</html>", content_type="text/html"))
    async with HttpUplink(Settings(url=url), "kiosk-1") as uplink:
        with pytest.raises(PlatformUnreachable, match="login page"):
            await uplink.send(b"batch")


async def test_an_endless_answer_is_cut(serve):
    url = await serve(answering(body=b"x" * (ANSWER_BYTES_MAX + 1), content_type=CBOR))
    async with HttpUplink(Settings(url=url), "kiosk-1") as uplink:
        with pytest.raises(PlatformUnreachable, match="not the platform"):
            await uplink.send(b"batch")


async def test_a_platform_that_never_answers_is_given_up(serve):
    never = asyncio.Event()

    async def handler(_request):
        await never.wait()

    async with HttpUplink(Settings(url=await serve(handler), timeout_s=0.05), "kiosk-1") as uplink:
        with pytest.raises(PlatformUnreachable, match="in time"):
            await uplink.send(b"batch")
    never.set()


async def test_a_closed_port_is_unreachable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with HttpUplink(Settings(url=f"http://127.0.0.1:{port}"), "kiosk-1") as uplink:
        with pytest.raises(PlatformUnreachable, match="no connection"):
            await uplink.send(b"batch")


async def test_a_connection_closed_before_the_answer_is_unreachable():
    async def slam(_reader, writer):
        writer.close()

    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, HttpUplink(Settings(url=f"http://127.0.0.1:{port}"), "kiosk-1") as uplink:
        with pytest.raises(PlatformUnreachable):
            await uplink.send(b"batch")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://platform.example", None),
        ("https://platform.example:8443/base", None),
        ("http://127.0.0.1:8080", None),
        ("http://[::1]:8080", None),
        ("http://localhost", None),
        ("http://platform.example", "https"),
        ("http://127.0.0.1.example", "https"),
        ("http://192.0.2.1", "https"),
        ("ftp://platform.example", "form"),
        ("platform.example", "form"),
        ("https://user:hunter2@platform.example", "password"),
        ("https://platform.example?x=1", "query"),
        ("https://platform.example:99999", "URL"),
        ("http://[::1", "URL"),
        ("https://platform.example/a b", "spaces"),
        ("https://platform.example\t", "spaces"),
        ("\nhttps://platform.example", "spaces"),
        ("https://plat\x00form.example", "control"),
        ("https://platform.example\u00a0", "spaces"),
        ("https://platform.example\u200b", "control"),
    ],
)
def test_clear_text_is_allowed_to_loopback_only(url, fault):
    found = url_fault(url, SCHEMES)
    assert (found is None) if fault is None else (fault in found)
    assert "hunter2" not in (found or "")


@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_a_refusal_that_is_no_problem_document_is_not_the_platforms(serve, status):
    url = await serve(answering(status=status, text="blocked", content_type="text/plain"))
    async with HttpUplink(Settings(url=url), "kiosk-1") as uplink:
        with pytest.raises(PlatformUnreachable, match="something else than the platform"):
            await uplink.send(b"batch")
