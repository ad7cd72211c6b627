"""What stands before every call of the local API: whose host and origin, which role, JSON or not; and how errors look.

The law: a route names the roles that may call it, or says ANYONE in so many words; there is no default. A page from
elsewhere can neither read the console through the browser (DNS rebinding) nor make it do anything (cross-site calls).
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from agent.adapters.console.roles import Caller, Entrance
from agent.core.legible import legible
from agent.core.requests import Role

log = logging.getLogger(__name__)

REQUEST_BYTES_MAX = 16_384
BODY_S_MAX = 10.0  # how long a body may take to arrive
ANYONE: Final = None
PROGRAM, KIOSK, STAFF = frozenset({Role.PROGRAM}), frozenset({Role.KIOSK}), frozenset({Role.STAFF})
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; media-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LOCAL_HOST = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.ASCII)

Call = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Body = TypeVar("_Body")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Whom a request tells that its whole body is there."""

    tell: Callable[[], object]


ARRIVAL = web.RequestKey("arrival", Arrival)


class Problem(Exception):
    """A call that is refused, as application/problem+json (RFC 9457): `type` is a word, `detail` says what to do."""

    def __init__(self, status: int, type_: str, title: str, detail: str, **more: object) -> None:
        super().__init__(title)
        self.status = status
        self.content = {"type": type_, "title": title, "status": status, "detail": detail, **more}
        self.headers = dict[str, str]()


@dataclass(frozen=True, slots=True)
class Route:
    """One call. roles: who may call it, or ANYONE. refused: what a browser is shown instead of a problem."""

    method: str
    path: str
    roles: frozenset[Role] | None
    call: Call
    refused: Callable[[Problem], web.Response] | None = None


def add_routes(app: web.Application, routes: tuple[Route, ...], entrance: Entrance) -> None:
    """Put every route behind its roles. GET routes answer no HEAD: it could use a link up."""
    for route in routes:
        app.router.add_route(route.method, route.path, _guarded(route, entrance))
    app.middlewares.append(refuse_strangers)
    app.on_response_prepare.append(_add_security_headers)


@web.middleware
async def refuse_strangers(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refuse foreign hosts and origins, whatever the route; turn every refusal into a problem."""
    try:
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not _LOCAL_HOST.fullmatch(hosts[0]):
            raise Problem(403, "foreign-host", "foreign host", "call 127.0.0.1, [::1] or localhost")
        if any(origin != f"http://{hosts[0]}" for origin in request.headers.getall("Origin", [])):
            raise Problem(403, "foreign-origin", "foreign origin", "only the console's own pages may call it")
        return await handler(request)
    except Problem as problem:
        return problem_response(problem)
    except web.HTTPException as error:
        other = Problem(error.status, _word(error), error.reason, "docs/protocol/local-openapi.yaml lists the calls")
        other.headers = {name: value for name, value in error.headers.items() if name == "Allow"}
        return problem_response(other)


def problem_response(problem: Problem) -> web.Response:
    """Return a problem as JSON."""
    return web.Response(
        status=problem.status,
        body=msgspec.json.encode(problem.content),
        content_type="application/problem+json",
        headers=problem.headers,
    )


def json_response(content: object, status: int = 200) -> web.Response:
    """Return JSON."""
    return web.Response(status=status, body=msgspec.json.encode(content), content_type="application/json")


async def read_body(request: web.Request, type_: type[_Body]) -> _Body:
    """Read a call's JSON. Raises Problem, which names the place and never repeats what was sent."""
    try:
        async with asyncio.timeout(BODY_S_MAX):
            data = await request.read()
    except TimeoutError as error:
        raise Problem(408, "too-slow", "too slow", f"send the whole body within {BODY_S_MAX:.0f} s") from error
    if ARRIVAL in request:
        request[ARRIVAL].tell()
    try:
        return msgspec.json.decode(data or b"{}", type=type_)
    except msgspec.ValidationError as error:
        raise Problem(422, "body", "not what this call takes", _place_of(str(error))) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Problem(400, "not-json", "not JSON", "send one JSON object") from error


def _guarded(route: Route, entrance: Entrance) -> _Handler:
    async def call(request: web.Request) -> web.StreamResponse:
        caller = entrance.caller(request.headers, request.cookies)
        try:
            _require_role(route, caller)
        except Problem as problem:
            if route.refused is None:
                raise
            return route.refused(problem)
        if route.method != "GET":
            _require_own_page(request, caller, is_open=route.roles is ANYONE)
            if request.content_type != "application/json":
                raise Problem(415, "not-json", "not JSON", "send Content-Type: application/json, with {} for no fields")
        # What a staff page reads by itself does not keep its session alive: only what a person does.
        if caller.session is not None and (route.method != "GET" or route.refused or caller.role is Role.KIOSK):
            await entrance.used(caller.session)
        return await route.call(request, caller)

    return call


def _require_role(route: Route, caller: Caller) -> None:
    if route.roles is ANYONE or caller.role in route.roles:
        return
    if caller.role is None:
        problem = Problem(
            401,
            "sign-in",
            "who are you?",
            "programs send Authorization: Bearer TOKEN, the token being in the state directory's console-token; "
            "for a page, `scanward console link --config FILE` makes a link",
        )
        problem.headers = {"WWW-Authenticate": 'Bearer realm="scanward"'}
        raise problem
    who = " or ".join(sorted(role.name.lower() for role in route.roles))
    raise Problem(403, "role", "not for this role", f"this call is for {who}; you are {caller.role.name.lower()}")


def _require_own_page(request: web.Request, caller: Caller, *, is_open: bool) -> None:
    """A browser says where a call comes from: without that, another page may have made it."""
    if (caller.is_browser or is_open) and "Origin" not in request.headers:
        raise Problem(403, "foreign-origin", "no origin", "a call with a cookie must come from the console's own page")


async def _add_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


def _word(error: web.HTTPException) -> str:
    return {404: "not-found", 405: "method", 413: "too-large"}.get(error.status, "refused")


def _place_of(said: str) -> str:
    """Return what is wrong and where. Only a field's name can be the caller's own, and it is cut."""
    return legible(said)[:200]
