"""The calls that do something with scanners: a program brings a scan, or has one look for a code.

The law: a scan is answered only once it waits for its decision; whatever is not taken is refused, and by what word says
whether to try again. What becomes of it is told by the events.
"""

from collections.abc import Callable
from typing import Annotated

import msgspec
from aiohttp import web

from agent.adapters.console.roles import Caller
from agent.adapters.console.routes import PROGRAM, STAFF, Problem, Route, json_response, read_body
from agent.core.scan import SCAN_BYTES_MAX
from agent.ports import Entered, ScanEntrance

_BRING_EITHER = 'give either "data" (text) or "hex" (bytes)'

_REFUSALS: dict[Entered, tuple[int, str, str, int | None]] = {
    Entered.UNKNOWN: (422, "no such scanner", 'name a configured scanner of type "app"', None),
    Entered.TOO_LONG: (422, "too long", f"a scan has at most {SCAN_BYTES_MAX} bytes", None),
    Entered.FULL: (503, "scans wait already", "try again in a second: nothing was taken", 1),
    Entered.FLOOD: (429, "too many scans", "try again in two seconds: this one was dropped", 2),
}
"""Status, title, what to do, and after how many seconds."""


class _Scan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scanner: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,32}\Z")]
    data: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    hex: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Fa-f]{2})+\Z")] | None = None
    aim: Annotated[str, msgspec.Meta(pattern=r"^\][A-Za-z][0-9A-Za-z]\Z")] | None = None


class _Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    on: bool


class ScanCalls:
    """The calls over what programs may do with scanners. entrance: asked at each call."""

    def __init__(self, entrance: Callable[[], ScanEntrance]) -> None:
        self._entrance = entrance

    def routes(self) -> tuple[Route, ...]:
        """Return the calls of this file, each with who may make it."""
        return (
            Route("POST", "/v1/scans", PROGRAM, self._enter),
            Route("POST", "/v1/scanners/{id}/trigger", PROGRAM | STAFF, self._trigger),
        )

    async def _enter(self, request: web.Request, _caller: Caller) -> web.Response:
        scan = await read_body(request, _Scan)
        entered = self._entrance().enter(scan.scanner, _payload(scan), scan.aim)
        if entered is Entered.TAKEN:
            return json_response({"scanner": scan.scanner}, 202)
        status, title, detail, wait_s = _REFUSALS[entered]
        problem = Problem(status, f"scan-{entered.value}", title, detail)
        problem.headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
        raise problem

    async def _trigger(self, request: web.Request, _caller: Caller) -> web.Response:
        said = await read_body(request, _Trigger)
        is_told = self._entrance().trigger(request.match_info["id"], on=said.on)
        if is_told is None:
            raise Problem(404, "scanner-unknown", "no such scanner", "GET /v1/status lists the scanners")
        if not is_told:
            raise Problem(409, "no-trigger", "it has no trigger", "it looks for codes by itself, or by its own button")
        return web.Response(status=204)


def _payload(scan: _Scan) -> bytes:
    """Return the bytes of a scan. Raises Problem."""
    if scan.data is not None and scan.hex is None:
        try:
            return scan.data.encode()
        except UnicodeEncodeError as error:
            raise Problem(422, "body", "not what this call takes", "data holds half a character: give hex") from error
    if scan.hex is not None and scan.data is None:
        return bytes.fromhex(scan.hex)
    raise Problem(422, "body", "not what this call takes", _BRING_EITHER)
