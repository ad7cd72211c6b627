"""Errors of the HTTP API as application/problem+json (RFC 9457), with a stable `code`."""

import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from platform_stub.storage.database import Contended, DatabaseAway, DatabaseBroken

_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(Exception):
    """What is wrong with a request. detail is for people and repeats nothing of the request's content."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn expected trouble into problem documents."""
    try:
        return await handler(request)
    except Problem as problem:
        return _answer(problem.status, problem.code, problem.detail)
    except web.HTTPRequestEntityTooLarge:
        return _answer(413, "message.too-large", "The message is larger than the protocol allows.")
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _answer(error.status, f"http.{error.status}", error.reason)
    except DatabaseBroken as error:
        found = problem_of(error)
        return _answer(found.status, found.code, found.detail)


def problem_of(error: DatabaseBroken) -> Problem:
    """Return what a terminal hears, on whichever carrier, where nothing could be stored."""
    if isinstance(error, Contended):  # it looked again and found the same: rather a fault of ours than another's haste
        _log.error("what was to be stored contradicts the database", exc_info=error)
        return Problem(503, "platform.contended", "The platform could not store it now; try again later.")
    if isinstance(error, DatabaseAway):
        return Problem(503, "platform.database", "The platform's database is away; try again later.")
    return Problem(503, "platform.stopping", "The platform cannot store anything now.")


def _answer(status: int, code: str, detail: str) -> web.Response:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return web.Response(status=status, text=json.dumps(body), content_type="application/problem+json")
