"""The local HTTP API, as far as it goes: events, status, health. Loopback only; foreign hosts and origins are refused.

Roles, requests and pages come with the console proper; nothing here changes anything.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from aiohttp_sse import sse_response

from agent.adapters.console.console import Console
from agent.ports import AddressInUse

REQUEST_BYTES_MAX = 16_384
SHUTDOWN_S_MAX = 1.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[console]. listen: loopback address and port of the local API; port 0 takes a free one."""

    listen: str = "127.0.0.1:8765"

    def __post_init__(self) -> None:
        host, _, port = self.listen.rpartition(":")
        try:
            is_loopback = ipaddress.ip_address(host.strip("[]")).is_loopback
        except ValueError:
            is_loopback = False
        if not is_loopback or not port.isdecimal() or int(port) > 65_535:
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
        self, settings: Settings, console: Console, status: Callable[[], Awaitable[dict[str, object]]]
    ) -> None:
        self._settings = settings
        self._console = console
        self._status = status
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def start(self) -> None:
        """Listen. Raises AddressInUse."""
        app = web.Application(middlewares=[_refuse_strangers], client_max_size=REQUEST_BYTES_MAX)
        app.router.add_get("/v1/events", self._events)
        app.router.add_get("/v1/status", self._get_status)
        app.router.add_get("/healthz", self._healthz)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S_MAX, handle_signals=False)
        await runner.setup()
        site = web.TCPSite(runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise AddressInUse(
                f"cannot listen on {self._settings.listen} ({error.strerror or error}): "
                "is another agent running? set [console] listen to another port"
            ) from error
        self._runner = runner
        bound = runner.addresses[0]
        host = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.address = f"http://{host}:{bound[1]}"

    async def stop(self) -> None:
        """Close every connection."""
        self._console.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _events(self, request: web.Request) -> web.StreamResponse:
        listener = self._console.listen()
        if listener is None:
            return _problem(503, "too many listeners")
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


@web.middleware
async def _refuse_strangers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A page from elsewhere must not read the console through the browser: DNS rebinding, cross-site requests."""
    if not _is_local(f"http://{request.headers.get('Host', '')}"):
        return _problem(403, "foreign host")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.headers.get('Host', '')}":
        return _problem(403, "foreign origin")
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _problem(error.status, error.reason)


def _is_local(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _problem(status: int, title: str) -> web.Response:
    """An error as application/problem+json (RFC 9457)."""
    body = msgspec.json.encode({"type": "about:blank", "title": title, "status": status})
    return web.Response(status=status, body=body, content_type="application/problem+json")
