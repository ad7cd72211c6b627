"""The calls of the local API (docs/protocol/local-openapi.yaml): events, status, requests, parked records, figures.

The law: every body, text and list is bounded; a kiosk sees and does what concerns the patient before it, no more. What
a call does is its port's business; who may make it stands in the table.
"""

import logging
import platform
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec
from aiohttp import web
from aiohttp_sse import sse_response

from agent import __version__
from agent.adapters.console.console import Console, request_event
from agent.adapters.console.metrics import Figures, LedgerFigures, read_status
from agent.adapters.console.roles import Caller, Entrance
from agent.adapters.console.routes import ANYONE, KIOSK, PROGRAM, STAFF, Problem, Route, json_response, read_body
from agent.adapters.console.scans import ScanCalls
from agent.core.legible import legible
from agent.core.requests import ITEMS_MAX, Event, Refusal, Request, RequestRefused, Role, permits
from agent.ports import LedgerFull, ParkedRecords, Requests, ScanEntrance

log = logging.getLogger(__name__)

PARKED_SHOWN_MAX = 200
DETAILS_MAX = 16
_SEQ_CHARS_MAX = 18

StepName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,31}\Z")]
ScannerId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,32}\Z")]
DetailName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}\Z")]
DetailText = Annotated[str, msgspec.Meta(max_length=64)]
Item = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,64}\Z")]

REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    Refusal.NO_POLICY: (409, "no policy yet", "wait until the terminal has fetched its trust list and policy"),
    Refusal.STEP_UNKNOWN: (422, "no such step", "name a step of the signed policy"),
    Refusal.SCANNER_UNKNOWN: (422, "no such scanner", "name a configured scanner, or none for any"),
    Refusal.STAFF_NEEDED: (403, "the step needs staff", "have staff or a program open it"),
    Refusal.REQUEST_OPEN: (409, "a request is open", "have it scanned, cancel it, or wait until it lapses"),
    Refusal.REQUEST_UNKNOWN: (404, "no such request", "it is long over, or was never opened here"),
    Refusal.REQUEST_OVER: (409, "the request is over", "open a new one"),
    Refusal.NOTHING_SCANNED: (409, "nothing was scanned yet", "have the code scanned first"),
    Refusal.NOT_ASKED: (409, "nobody's yes was asked for", "there is nothing to confirm"),
    Refusal.TOO_MANY_ITEMS: (422, "too many items", f"at most {ITEMS_MAX} for a request, 6000 characters in a call"),
    Refusal.ITEM_TWICE: (422, "an item twice", "name each package once; one that was scanned twice is one package"),
    Refusal.NOT_A_PACKAGE: (422, "no package", "a patient's payment code, voucher, id or card: scan the package"),
    Refusal.BUSY: (503, "busy", "try again in a second"),
}


class _NewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    step: StepName
    scanner: ScannerId | None = None
    details: Annotated[dict[DetailName, DetailText], msgspec.Meta(max_length=DETAILS_MAX)] = {}


class _Items(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    items: Annotated[tuple[Item, ...], msgspec.Meta(min_length=1, max_length=ITEMS_MAX)]


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


@dataclass(frozen=True, slots=True)
class Parts:
    """What the calls speak to. status: as GET /v1/status says it to a program; step: the terminal's own."""

    console: Console
    entrance: Entrance
    requests: Requests
    scans: ScanEntrance
    parked: ParkedRecords
    status: Callable[[], Awaitable[dict[str, object]]]
    ledger_figures: Callable[[], Awaitable[LedgerFigures]]
    step: str
    program_may_confirm: bool = False


class Calls:
    """The calls over their parts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> tuple[Route, ...]:
        """Return the calls of this file, each with who may make it."""
        everyone = PROGRAM | KIOSK | STAFF
        return (
            Route("GET", "/healthz", ANYONE, self._healthz),
            Route("GET", "/metrics", PROGRAM, self._metrics),
            Route("GET", "/v1/events", everyone, self._events),
            Route("GET", "/v1/status", everyone, self._status),
            Route("GET", "/v1/diagnostics", PROGRAM | STAFF, self._diagnostics),
            Route("POST", "/v1/requests", everyone, self._open),
            Route("GET", "/v1/requests/{id}", everyone, self._get),
            Route("POST", "/v1/requests/{id}/confirm", everyone, self._confirm),  # a kiosk: what asks the patient
            Route("POST", "/v1/requests/{id}/cancel", everyone, self._cancel),  # a kiosk: its own
            Route("POST", "/v1/requests/{id}/items", PROGRAM | STAFF, self._items),
            *ScanCalls(lambda: self._parts.scans).routes(),
            Route("GET", "/v1/parked", PROGRAM | STAFF, self._parked),
            Route("POST", "/v1/parked/{seq}/retry", STAFF, self._retry),
        )

    async def _healthz(self, _request: web.Request, _caller: Caller) -> web.Response:
        return web.Response(text="ok\n")

    async def _events(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """Stream until the listener is dropped, leaves, or is no longer who it was."""
        console, is_public = self._parts.console, caller.role is Role.KIOSK
        listener = console.listen(is_public=is_public)
        try:
            async with sse_response(request) as response:
                last = request.headers.get("Last-Event-ID", "")
                after = int(last) if last.isascii() and last.isdecimal() and len(last) < 16 else None
                sent = 0
                for missed in console.recent(after) if after is not None else ():
                    if missed.is_public or not is_public:
                        await response.send(missed.data, id=str(missed.number), event=missed.topic)
                    sent = missed.number
                while (event := await listener.next()) is not None and self._is_still(caller):
                    if event.number > sent:
                        await response.send(event.data, id=str(event.number), event=event.topic)
            return response
        finally:
            console.forget(listener)

    def _is_still(self, caller: Caller) -> bool:
        return caller.session is None or self._parts.entrance.role_of(caller.session) is caller.role

    async def _status(self, _request: web.Request, caller: Caller) -> web.Response:
        status = await self._parts.status()
        if caller.role is Role.KIOSK:
            return json_response(self._public(status))
        return json_response(status | {"requests": [self._shown(one) for one in self._parts.requests.waiting()]})

    def _public(self, status: dict[str, object]) -> dict[str, object]:
        """Return what the screen in the hall may show."""
        figures = read_status(status)
        public: dict[str, object] = {
            "terminal": status["terminal"],
            "ready": figures.trust is not None and figures.trust.freshness != "online-only",
            "uplink_up": any(uplink.is_up for uplink in figures.all_uplinks),
            "step": self._parts.step,
            "scanners": [{"id": one.id, "presence": one.presence} for one in figures.scanners],
        }
        if waiting := self._parts.requests.waiting():
            public["request"] = self._event(waiting[-1])
        return public

    async def _diagnostics(self, _request: web.Request, _caller: Caller) -> web.Response:
        return json_response(
            {
                "status": await self._parts.status(),
                "versions": {
                    "scanward": __version__,
                    "python": platform.python_version(),
                    "kernel": platform.release(),
                    "machine": platform.machine(),
                },
                "notices": self._parts.console.notices(),
            }
        )

    async def _metrics(self, _request: web.Request, _caller: Caller) -> web.Response:
        from agent.adapters.console.prometheus import render  # noqa: PLC0415 - only where somebody scrapes

        count, _ = await self._parts.parked.parked(0)
        text, content_type = render(
            Figures(
                counts=self._parts.console.counts,
                status=read_status(await self._parts.status()),
                ledger=await self._parts.ledger_figures(),
                parked=count,
                listeners=self._parts.console.listeners,
            )
        )
        return web.Response(body=text, headers={"Content-Type": content_type})

    async def _open(self, request: web.Request, caller: Caller) -> web.Response:
        body = await read_body(request, _NewRequest)
        opened = await self._done(self._parts.requests.open(_role(caller), body.step, body.scanner, body.details))
        return json_response(self._shown(opened), 201)

    async def _get(self, request: web.Request, caller: Caller) -> web.Response:
        return self._answer(self._find(request), caller)

    async def _confirm(self, request: web.Request, caller: Caller) -> web.Response:
        return await self._change(request, caller, Event.CONFIRMED)

    async def _cancel(self, request: web.Request, caller: Caller) -> web.Response:
        return await self._change(request, caller, Event.CANCELLED)

    async def _items(self, request: web.Request, caller: Caller) -> web.Response:
        return await self._change(request, caller, Event.ITEMS_ADDED)

    async def _change(self, request: web.Request, caller: Caller, event: Event) -> web.Response:
        by = _role(caller)
        try:
            found: Request | None = self._find(request)
        except Problem:
            if by is Role.KIOSK:
                raise _not_for(by) from None
            raise
        may_confirm = self._parts.program_may_confirm
        if found is None or not permits(found, event, by, program_may_confirm=may_confirm):
            raise _not_for(by)
        items: tuple[str, ...] = ()
        if event is Event.ITEMS_ADDED:
            items = (await read_body(request, _Items)).items
        else:
            await read_body(request, _Nothing)
        return self._answer(await self._done(self._parts.requests.change(by, found.id, event, items)), caller)

    def _answer(self, request: Request, caller: Caller) -> web.Response:
        is_own = caller.role is not Role.KIOSK or request.by is Role.KIOSK
        return json_response(self._shown(request) if is_own else self._event(request))

    async def _done(self, work: Awaitable[Request]) -> Request:
        try:
            return await work
        except RequestRefused as error:
            status, title, detail = REFUSALS[error.why]
            more = {} if error.about is None else {"request": error.about.id.hex(), "state": error.about.state.value}
            raise Problem(status, error.why.value, title, detail, **more) from error
        except LedgerFull as error:
            raise Problem(507, "storage-full", "storage is full", "free space; nothing was changed") from error

    def _find(self, request: web.Request) -> Request:
        try:
            found = self._parts.requests.get(bytes.fromhex(request.match_info["id"]))
        except ValueError:
            found = None
        if found is None:
            status, title, detail = REFUSALS[Refusal.REQUEST_UNKNOWN]
            raise Problem(status, Refusal.REQUEST_UNKNOWN.value, title, detail)
        return found

    def _event(self, request: Request) -> dict[str, object]:
        return request_event(request, self._parts.requests.left_s(request))

    def _shown(self, request: Request) -> dict[str, object]:
        by = None if request.by is None else request.by.name.lower()
        return self._event(request) | {"by": by, "items": list(request.items), "details": dict(request.details)}

    async def _parked(self, _request: web.Request, _caller: Caller) -> web.Response:
        count, parked = await self._parts.parked.parked(PARKED_SHOWN_MAX)
        shown = [{"seq": p.seq, "uplink": p.uplink, "reason": legible(p.reason), "at_ms": p.at_ms} for p in parked]
        return json_response({"count": count, "parked": shown})

    async def _retry(self, request: web.Request, _caller: Caller) -> web.Response:
        await read_body(request, _Nothing)
        seq = request.match_info["seq"]
        try:
            is_number = seq.isascii() and seq.isdecimal() and len(seq) <= _SEQ_CHARS_MAX
            if is_number and await self._parts.parked.retry_parked(int(seq)):
                return json_response({"seq": int(seq), "state": "waiting"})
        except LedgerFull as error:
            raise Problem(507, "storage-full", "storage is full", "free space; nothing was changed") from error
        raise Problem(404, "not-parked", "this record is not parked", "GET /v1/parked lists those that are")


def _role(caller: Caller) -> Role:
    if caller.role is None:
        raise RuntimeError("a call without a role has passed the gate")
    return caller.role


def _not_for(by: Role) -> Problem:
    detail = "staff must do this"
    if by is Role.PROGRAM:
        detail = "staff must do this on their page, or [console] program_may_confirm be true"
    return Problem(403, "role", "not for this role", detail)
