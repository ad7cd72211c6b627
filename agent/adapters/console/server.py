"""The local HTTP API: settings, connections, and the calls of calls.py and pages.py behind their roles. Loopback only.

The law: no program on this machine can use up the agent's connections, its listeners or its time by staying silent:
where there are too many connections, the one that has been idle longest gives way to the new one.
"""

import asyncio
import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from agent.adapters.console.calls import Calls, Parts
from agent.adapters.console.pages import Pages
from agent.adapters.console.routes import ARRIVAL, REQUEST_BYTES_MAX, Arrival, Route, add_routes
from agent.ports import AddressInUse

log = logging.getLogger(__name__)

SHUTDOWN_S_MAX = 1.0
CONNECTIONS_MAX = 64
SILENCE_S_MAX = 10.0  # without a request, at first and between two
_LISTEN = re.compile(r"(?:(?P<v4>[0-9.]{7,15})|\[(?P<v6>[0-9a-fA-F:.]{2,45})\]):(?P<port>[0-9]{1,5})", re.ASCII)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[console]. listen: loopback address and port of the local API; port 0 takes a free one.

    token_file: of programs, left out: console-token in the state directory. staff_pin_file: as `scanward console pin`
    makes it, left out: staff come in by a link. link_s, staff_idle_s: seconds. program_may_confirm: in staff's place.
    """

    listen: str = "127.0.0.1:8765"
    token_file: str | None = None
    staff_pin_file: str | None = None
    link_s: float = 300.0
    staff_idle_s: float = 600.0
    program_may_confirm: bool = False

    def __post_init__(self) -> None:
        parts = _LISTEN.fullmatch(self.listen)
        try:
            is_loopback = parts is not None and ipaddress.ip_address(parts["v4"] or parts["v6"]).is_loopback
        except ValueError:
            is_loopback = False
        if parts is None or not is_loopback or int(parts["port"]) > 65_535:
            raise ValueError("listen must be a loopback address and port, e.g. 127.0.0.1:8765 or [::1]:8765")
        if not 1 <= self.link_s <= 3_600:
            raise ValueError("link_s must lie in [1, 3600]")
        if not 1 <= self.staff_idle_s <= 86_400:
            raise ValueError("staff_idle_s must lie in [1, 86400]")

    @property
    def host(self) -> str:
        """The address without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.listen.rpartition(":")[2])


class ConsoleServer:
    """Serves a console over its parts."""

    def __init__(self, settings: Settings, parts: Parts, *, silence_s_max: float = SILENCE_S_MAX) -> None:
        self._settings = settings
        self.parts = parts
        self._pages = Pages(parts.entrance, link_s=settings.link_s)
        self.routes: tuple[Route, ...] = (*Calls(parts).routes(), *self._pages.routes())
        self._silence_s_max = silence_s_max
        self._runner: web.AppRunner | None = None
        self._socket: asyncio.Server | None = None
        self._idle = dict[RequestHandler, None]()  # connections without a call in progress, the longest idle first
        self._leaving = set[RequestHandler]()  # told to give way, and still counted by the runner
        self._opening = set[RequestHandler]()  # accepted, and not yet counted by the runner
        self._is_crowded = False
        self.address = ""

    async def start(self) -> None:
        """Listen. Raises AddressInUse."""
        app = web.Application(middlewares=[self._note_idle], client_max_size=REQUEST_BYTES_MAX)
        add_routes(app, self.routes, self.parts.entrance)
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
        self._pages.address = self.address

    def _accept(self) -> asyncio.BaseProtocol:
        """Return what speaks on a new connection; where all are busy, something that only hangs up."""
        server = None if self._runner is None else self._runner.server
        connections = set() if server is None else self._opening.union(server.connections)
        self._leaving &= connections
        self._idle = {handler: None for handler in self._idle if handler in connections}
        count = len(connections) - len(self._leaving)
        if server is None or (count >= CONNECTIONS_MAX and not self._make_room()):
            if not self._is_crowded:
                log.warning("too many busy connections to the local API: more than %d are refused", CONNECTIONS_MAX)
            self._is_crowded = True
            return _HangUp()
        if self._is_crowded and count <= CONNECTIONS_MAX // 2:
            self._is_crowded = False
            log.info("connections to the local API are taken again")
        handler = server()
        self._opening.add(handler)
        asyncio.get_running_loop().call_soon(self._opening.discard, handler)  # when the runner counts it
        self._idle[handler] = None
        return handler

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest; say whether there was one."""
        longest = next((handler for handler in self._idle if handler not in self._opening), None)
        if longest is None:
            return False
        del self._idle[longest]
        self._leaving.add(longest)
        longest.force_close()
        return True

    @web.middleware
    async def _note_idle(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        connection = request.protocol
        self._idle.pop(connection, None)
        if request.can_read_body:  # one that sends its body slowly, or never, is no call in progress yet
            self._idle[connection] = None
            request[ARRIVAL] = Arrival(lambda: self._idle.pop(connection, None))
        try:
            return await handler(request)
        finally:
            self._idle.pop(connection, None)  # the newest among them
            self._idle[connection] = None

    async def stop(self) -> None:
        """Close every connection."""
        self.parts.console.close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


class _HangUp(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()
