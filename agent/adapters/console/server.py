"""The local HTTP API, as far as it goes: events, status, health. Loopback only; foreign hosts and origins are refused.

The law: no program on this machine can use up the agent's connections, its listeners or its time by staying silent.
Roles, requests and pages come with the console proper; nothing here changes anything.
"""

import asyncio
import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from aiohttp_sse import sse_response

from agent.adapters.console.console import Console
from agent.ports import AddressInUse

log = logging.getLogger(__name__)

REQUEST_BYTES_MAX = 16_384
SHUTDOWN_S_MAX = 1.0
CONNECTIONS_MAX = 64
SILENCE_S_MAX = 10.0  # without a request, at first and between two
_LISTEN = re.compile(r"(?:(?P<v4>[0-9.]{7,15})|\[(?P<v6>[0-9a-fA-F:.]{2,45})\]):(?P<port>[0-9]{1,5})", re.ASCII)
_LOCAL_HOST = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.ASCII)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[console]. listen: loopback address and port of the local API; port 0 takes a free one."""

    listen: str = "127.0.0.1:8765"

    def __post_init__(self) -> None:
        parts = _LISTEN.fullmatch(self.listen)
        try:
            is_loopback = parts is not None and ipaddress.ip_address(parts["v4"] or parts["v6"]).is_loopback
        except ValueError:
            is_loopback = False
        if parts is None or not is_loopback or int(parts["port"]) > 65_535:
            raise ValueError("listen must be a loopback address and port, e.g. 127.0.0.1:8765 or [::1]:8765")

    @property
    def host(self) -> str:
        """The address without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.listen.rpartition(":")[2])


class ConsoleServer:
    """Serves a console. `status` is asked on each GET /v1/status."""

    def __init__(
        self,
        settings: Settings,
        console: Console,
        status: Callable[[], Awaitable[dict[str, object]]],
        *,
        silence_s_max: float = SILENCE_S_MAX,
    ) -> None:
        self._settings = settings
        self._console = console
        self._status = status
        self._silence_s_max = silence_s_max
        self._runner: web.AppRunner | None = None
        self._socket: asyncio.Server | None = None
        self._opening = 0  # connections accepted that the runner does not count yet
        self._is_crowded = False
        self.address = ""

    async def start(self) -> None:
        """Listen. Raises AddressInUse."""
        app = web.Application(middlewares=[_refuse_strangers], client_max_size=REQUEST_BYTES_MAX)
        app.router.add_get("/v1/events", self._events)
        app.router.add_get("/v1/status", self._get_status)
        app.router.add_get("/healthz", self._healthz)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=SHUTDOWN_S_MAX,
            handle_signals=False,
            handler_cancellation=True,  # a listener that closes on a quiet terminal is forgotten at once
            keepalive_timeout=self._silence_s_max,
        )
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._socket = await loop.create_server(
                self._accept, self._settings.host, self._settings.port, backlog=CONNECTIONS_MAX
            )
        except OSError as error:
            await self.stop()
            raise AddressInUse(
                f"cannot listen on {self._settings.listen} ({error.strerror or error}): "
                "is another agent running? set [console] listen to another port"
            ) from error
        host, port = self._socket.sockets[0].getsockname()[:2]
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def _accept(self) -> asyncio.BaseProtocol:
        """Return what speaks on a new connection; where there are too many, something that only hangs up."""
        server = None if self._runner is None else self._runner.server
        count = self._opening + (0 if server is None else len(server.connections))
        if server is None or count >= CONNECTIONS_MAX:
            if not self._is_crowded:
                log.warning("too many connections to the local API: more than %d are refused", CONNECTIONS_MAX)
            self._is_crowded = True
            return _HangUp()
        if self._is_crowded and count <= CONNECTIONS_MAX // 2:
            self._is_crowded = False
            log.info("connections to the local API are taken again")
        self._opening += 1
        asyncio.get_running_loop().call_soon(self._opened)  # when the runner counts it
        return server()

    def _opened(self) -> None:
        self._opening -= 1

    async def stop(self) -> None:
        """Close every connection."""
        self._console.close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _events(self, request: web.Request) -> web.StreamResponse:
        listener = self._console.listen()
        try:
            async with sse_response(request) as response:
                last = request.headers.get("Last-Event-ID", "")
                after = int(last) if last.isascii() and last.isdecimal() and len(last) < 16 else None
                sent = 0
                for missed in self._console.recent(after) if after is not None else ():
                    await response.send(missed.data, id=str(missed.number), event=missed.topic)
                    sent = missed.number
                while (event := await listener.next()) is not None:
                    if event.number > sent:
                        await response.send(event.data, id=str(event.number), event=event.topic)
            return response
        except (ConnectionResetError, TimeoutError):
            return web.Response()  # the listener went away or stalled
        finally:
            self._console.forget(listener)

    async def _get_status(self, _request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(await self._status()), content_type="application/json")

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")


class _HangUp(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


@web.middleware
async def _refuse_strangers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A page from elsewhere must not read the console through the browser: DNS rebinding, cross-site requests."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not _LOCAL_HOST.fullmatch(hosts[0]):
        return _problem(403, "foreign host")
    if any(origin != f"http://{hosts[0]}" for origin in request.headers.getall("Origin", [])):
        return _problem(403, "foreign origin")
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _problem(error.status, error.reason)


def _problem(status: int, title: str) -> web.Response:
    """An error as application/problem+json (RFC 9457)."""
    body = msgspec.json.encode({"type": "about:blank", "title": title, "status": status})
    return web.Response(status=status, body=body, content_type="application/problem+json")
