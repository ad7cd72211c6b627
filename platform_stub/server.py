"""The platform over HTTP: ingest, the trust repository's files, the page and its events.

The law: a receipt leaves only after its commit. Who may speak is decided here, what is made of it in ingest.py.
"""

import asyncio
import contextlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path

import aiohttp_sse
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519

from platform_stub import archive
from platform_stub.chain import CheckedBatch, check_batch, hash_of_nothing
from platform_stub.changes import Changes
from platform_stub.cose import is_signed_by
from platform_stub.database import Database
from platform_stub.message import (
    BATCH_BYTES_MAX,
    HEAD_AAD,
    HELLO_BYTES_MAX,
    PROTOCOL_VERSION,
    Batch,
    Head,
    Hello,
    MessageInvalid,
    read_batch,
    read_hello,
)
from platform_stub.online import OnlineCodes
from platform_stub.page import Page
from platform_stub.problem import Problem, problems
from platform_stub.receipt import hello_answer, sign_receipt
from platform_stub.registry import Registry, Terminal
from platform_stub.repository import Repository

EVENT_STREAMS_MAX = 20
EVENT_PAUSE_S = 0.3  # how often a stream shows changes, at most
EVENT_SEND_TIMEOUT_S = 10.0
EVENT_RESENT_EVERY_S = 15.0  # also finds out whether the page is still there
_CBOR = "application/cbor"
_FILE = re.compile(r"[a-z0-9][a-z0-9.-]{0,127}")


class Server:
    """The routes and what they share. now_ms: the platform's time."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        repository: Repository,
        page: Page,
        receipt_key: ed25519.Ed25519PrivateKey,
        now_ms: Callable[[], int],
        online: OnlineCodes,
    ) -> None:
        self._database = database
        self._registry = registry
        self._repository = repository
        self._page = page
        self._receipt_key = receipt_key
        self._now_ms = now_ms
        self._online = online
        self._changes = Changes()
        self._streams = 0

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[problems], client_max_size=BATCH_BYTES_MAX)
        app.add_routes([
            web.post("/v1/terminals/{terminal}/hello", self._hello),
            web.post("/v1/terminals/{terminal}/batches", self._batch),
            web.get("/v1/trust/metadata/{name}", self._metadata),
            web.get("/v1/trust/targets/{name}", self._target),
            web.get("/v1/events", self._events),
            *self._online.routes(self._read_registrations),
            web.get("/healthz", self._health),
            web.get("/", self._whole_page),
        ])  # fmt: skip
        app.on_startup.append(self._read_registrations)
        app.on_shutdown.append(self._close_streams)
        return app

    async def _hello(self, request: web.Request) -> web.Response:
        body = await _body(request, HELLO_BYTES_MAX)
        try:
            hello = read_hello(body)
        except MessageInvalid as error:
            raise Problem(400, "message.malformed", str(error)) from error
        terminal = await self._speaker(request, hello)
        if hello.site != terminal.site:
            raise Problem(409, "message.other-site", "The terminal is registered for another site.")
        if PROTOCOL_VERSION not in hello.versions:
            raise Problem(400, "message.version", f"The platform speaks version {PROTOCOL_VERSION}.")
        if hello.head.seq == 0 and hello.head.hash != hash_of_nothing(hello.ledger_id):
            raise Problem(400, "message.malformed", "The head of an empty ledger is the hash of its id.")
        at_ms = self._now_ms()
        head = await self._database.write(lambda db: archive.store_hello(db, hello, at_ms))
        self._changes.note()
        receipt = sign_receipt(self._receipt_key, hello.hello_id, terminal.id, hello.ledger_id, (), head, at_ms)
        return web.Response(body=hello_answer(receipt), content_type=_CBOR)

    async def _batch(self, request: web.Request) -> web.Response:
        body = await _body(request, BATCH_BYTES_MAX)
        try:
            batch = read_batch(body)
            terminal = await self._speaker(request, batch)
            checked = await self._check(batch, terminal)
        except MessageInvalid as error:
            raise Problem(400, "message.malformed", str(error)) from error
        at_ms = self._now_ms()
        stored = await self._database.write(lambda db: archive.store_batch(db, checked, at_ms))
        self._changes.note()
        receipt = sign_receipt(
            self._receipt_key, batch.batch_id, terminal.id, batch.ledger_id, stored.results, stored.head, at_ms
        )
        return web.Response(body=receipt, content_type=_CBOR)

    async def _check(self, batch: Batch, terminal: Terminal) -> CheckedBatch:
        before = None
        if batch.first_seq > 1:
            before = await archive.hash_at(self._database, terminal.id, batch.ledger_id, batch.first_seq - 1)
        return check_batch(batch, terminal.key, before)

    async def _speaker(self, request: web.Request, message: Hello | Batch) -> Terminal:
        """Return the terminal that signed the head, having checked that everything names the same one."""
        terminal_id, head = message.terminal, message.head
        if request.match_info["terminal"] != terminal_id:
            raise Problem(409, "message.other-terminal", "Address and message name different terminals.")
        if head.terminal != terminal_id or head.ledger_id != message.ledger_id:
            raise Problem(409, "message.other-ledger", "Message and signed head name different ledgers.")
        terminal = self._registry.find(terminal_id)
        if terminal is None or not _has_signed(terminal, head):
            await self._read_registrations(request.app)
            terminal = self._registry.find(terminal_id)
        if terminal is None:
            raise Problem(401, "terminal.unknown", "The terminal is not registered here.")
        if not _has_signed(terminal, head):
            raise Problem(401, "terminal.signature", "The head is not signed with the terminal's registered key.")
        return terminal

    async def _read_registrations(self, _: web.Application) -> None:
        new = self._registry.scan()
        if new:
            at_ms = self._now_ms()
            await self._database.write(lambda db: archive.store_terminals(db, new, at_ms))
            self._changes.note()

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
                await stream.send(await self._page.state())
            except (ConnectionResetError, TimeoutError):
                return  # the page has gone, or does not keep up: it connects again by itself
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changes.beyond(count), EVENT_RESENT_EVERY_S)
                await asyncio.sleep(EVENT_PAUSE_S)

    async def _close_streams(self, _: web.Application) -> None:
        self._changes.close()


def _has_signed(terminal: Terminal, head: Head) -> bool:
    return head.signed.kid == terminal.kid and is_signed_by(terminal.key, HEAD_AAD, head.signed)


async def _body(request: web.Request, bytes_max: int) -> bytes:
    if request.content_type != _CBOR:
        raise Problem(415, "message.type", f"The message must be {_CBOR}.")
    if (request.content_length or 0) > bytes_max:
        raise Problem(413, "message.too-large", f"At most {bytes_max} bytes are read.")
    body = await request.read()
    if len(body) > bytes_max:
        raise Problem(413, "message.too-large", f"At most {bytes_max} bytes are read.")
    return body


def _file(request: web.Request, place: Callable[[str], Path]) -> web.StreamResponse:
    name = request.match_info["name"]
    if not _FILE.fullmatch(name) or not place(name).is_file():
        raise Problem(404, "trust.no-such-file", "There is no such file in the trust repository.")
    headers = {"Content-Type": "application/octet-stream", "Cache-Control": "no-cache"}
    return web.FileResponse(place(name), headers=headers)
