"""The platform over HTTP: ingest, the trust repository's files, the page and its events.

What is said to terminals, and when, is decided in conversation.py.
"""

import asyncio
import contextlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path

import aiohttp_sse
from aiohttp import web

from platform_stub.changes import Changes
from platform_stub.commands import ANSWER_BYTES_MAX
from platform_stub.conversation import Conversation, Place
from platform_stub.issuing.repository import Repository
from platform_stub.online import OnlineCodes
from platform_stub.speakers import Speakers
from platform_stub.status import HTTP, STATUS_BYTES_MAX
from platform_stub.storage.database import DatabaseAway
from platform_stub.web.bodies import CBOR, read_body
from platform_stub.web.page import Page
from platform_stub.web.problem import Problem, problems
from platform_stub.wire.message import BATCH_BYTES_MAX, HELLO_BYTES_MAX

EVENT_STREAMS_MAX = 20
EVENT_PAUSE_S = 0.3  # how often a stream shows changes, at most
EVENT_SEND_TIMEOUT_S = 10.0
EVENT_RESENT_EVERY_S = 15.0  # also finds out whether the page is still there
_FILE = re.compile(r"[a-z0-9][a-z0-9.-]{0,127}")


class Server:
    """The routes and what they share."""

    def __init__(
        self,
        conversation: Conversation,
        speakers: Speakers,
        repository: Repository,
        page: Page,
        changes: Changes,
        online: OnlineCodes,
    ) -> None:
        self._conversation = conversation
        self._speakers = speakers
        self._repository = repository
        self._page = page
        self._changes = changes
        self._online = online
        self._streams = 0

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[problems], client_max_size=BATCH_BYTES_MAX)
        app.add_routes([
            web.post("/v1/terminals/{terminal}/hello", self._hello),
            web.post("/v1/terminals/{terminal}/batches", self._batch),
            web.post("/v1/terminals/{terminal}/status", self._status),
            web.post("/v1/terminals/{terminal}/answers", self._answer),
            web.get("/v1/trust/metadata/{name}", self._metadata),
            web.get("/v1/trust/targets/{name}", self._target),
            web.get("/v1/events", self._events),
            *self._online.routes(),
            web.get("/healthz", self._health),
            web.get("/", self._whole_page),
        ])  # fmt: skip
        app.on_startup.append(self._read_registrations)
        app.on_shutdown.append(self._close_streams)
        return app

    async def _hello(self, request: web.Request) -> web.Response:
        body = await read_body(request, HELLO_BYTES_MAX)
        return web.Response(body=await self._conversation.hello(body, _place(request)), content_type=CBOR)

    async def _batch(self, request: web.Request) -> web.Response:
        body = await read_body(request, BATCH_BYTES_MAX)
        return web.Response(body=await self._conversation.batch(body, _place(request)), content_type=CBOR)

    async def _status(self, request: web.Request) -> web.Response:
        await self._conversation.status(await read_body(request, STATUS_BYTES_MAX), _place(request))
        return web.Response(status=204)

    async def _answer(self, request: web.Request) -> web.Response:
        await self._conversation.answer(await read_body(request, ANSWER_BYTES_MAX), _place(request))
        return web.Response(status=204)

    async def _read_registrations(self, _: web.Application) -> None:
        await self._speakers.read_registrations()

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        return _file(request, self._repository.metadata_file)

    async def _target(self, request: web.Request) -> web.StreamResponse:
        return _file(request, self._repository.target_file)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _whole_page(self, _: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return web.Response(text=await self._page.whole(nonce), content_type="text/html", headers=headers)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._streams >= EVENT_STREAMS_MAX:
            raise Problem(503, "events.too-many", "Too many pages are open.")
        self._streams += 1
        try:
            async with aiohttp_sse.sse_response(request, send_timeout=EVENT_SEND_TIMEOUT_S) as stream:
                await self._show_changes(stream)
                return stream
        finally:
            self._streams -= 1

    async def _show_changes(self, stream: aiohttp_sse.EventSourceResponse) -> None:
        while not self._changes.is_closed and stream.is_connected():
            count = self._changes.count
            try:
                with contextlib.suppress(DatabaseAway):  # the page keeps what it shows until the database is back
                    await stream.send(await self._page.state())
            except (ConnectionResetError, TimeoutError):
                return  # the page has gone, or does not keep up: it connects again by itself
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changes.beyond(count), EVENT_RESENT_EVERY_S)
                await asyncio.sleep(EVENT_PAUSE_S)

    async def _close_streams(self, _: web.Application) -> None:
        self._changes.close()


def _place(request: web.Request) -> Place:
    return Place(HTTP, request.match_info["terminal"])


def _file(request: web.Request, place: Callable[[str], Path]) -> web.StreamResponse:
    name = request.match_info["name"]
    if not _FILE.fullmatch(name) or not place(name).is_file():
        raise Problem(404, "trust.no-such-file", "There is no such file in the trust repository.")
    headers = {"Content-Type": "application/octet-stream", "Cache-Control": "no-cache"}
    return web.FileResponse(place(name), headers=headers)
