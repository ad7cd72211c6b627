"""The requests of one terminal: "the next scan is for this step", and whose yes a decision waits for.

The law: every event is a durable record before anybody is answered, and one change is made at a time. A change goes on
although its caller has left: what was recorded is what is so. Who may ask for what is the console's business.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import msgspec

from agent.core.decision import Answer, Decision
from agent.core.delivery import StoredRecord
from agent.core.requests import (
    LIVE,
    Event,
    Refusal,
    Request,
    RequestRefused,
    Role,
    State,
    draft_request,
    elapsed_ms,
    fold,
    follow,
    needs_staff,
    new_items,
    require_items,
    stamp_of,
)
from agent.core.transaction import ENVELOPE_BYTES_MAX, Draft, Transaction, record_of
from agent.ports import Clock, Display, LedgerFull, Randomness, TrustStore

log = logging.getLogger(__name__)

WAITING_MAX = 64  # requests open or asking; beyond that the one that has waited longest lapses
FINISHED_MAX = 256  # kept, so that a call that is repeated gets the same answer
CHANGES_WAITING_MAX = 32  # calls waiting for their turn
RESTORED_PAGE = 500  # records read at once at start
RESTORED_BYTES_MAX = RESTORED_PAGE * ENVELOPE_BYTES_MAX
RESTORED_RECORDS_MAX = 5_000  # looked through at start for requests that still wait
SCAN_S_MAX = 10.0  # a request does not lapse while a scan for it is being judged, but for one that comes to nothing


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[requests]. open_s: how long a request waits for its scan; ask_s: a decision for the yes it asked for."""

    open_s: float = 60.0
    ask_s: float = 600.0

    def __post_init__(self) -> None:
        if not 1 <= self.open_s <= 3_600:
            raise ValueError("open_s must lie in [1, 3600]")
        if not 1 <= self.ask_s <= 86_400:
            raise ValueError("ask_s must lie in [1, 86400]")


class RequestLedger(Protocol):
    """The part of the ledger that requests need. All may raise LedgerBroken."""

    @property
    def ledger_id(self) -> bytes:
        """16 bytes."""
        ...

    @property
    def head_seq(self) -> int:
        """Seq of the last record."""
        ...

    async def append(self, draft: Draft) -> Transaction:
        """Store a draft; return once it is durable. Raises LedgerFull."""
        ...

    async def read(self, after: int, *, records_max: int, bytes_max: int) -> Sequence[StoredRecord]:
        """Return the records behind seq `after` in order, within both limits."""
        ...


_Work = Callable[[], Awaitable[Request]]


class RequestDesk:
    """Implements ports.Requests and answers the checkpoint. Its `run` must run for the life of the agent."""

    def __init__(
        self,
        *,
        ledger: RequestLedger,
        trust_store: TrustStore,
        scanners: Sequence[str],
        display: Display,
        on_change: Callable[[Request], None],
        clock: Clock,
        randomness: Randomness,
        settings: Settings,
    ) -> None:
        self._ledger = ledger
        self._trust_store = trust_store
        self._scanners = frozenset(scanners)
        self._display = display
        self._on_change = on_change
        self._clock = clock
        self._randomness = randomness
        self._settings = settings
        self._requests = dict[bytes, Request]()  # in the order they came; some are over
        self._due_s = dict[bytes, float]()  # of those that wait, by the loop's clock
        self._taken = dict[str, bytes]()  # by scanner: the request that its scan in progress is for
        self._turn = asyncio.Lock()
        self._calls = asyncio.Queue[tuple[_Work, asyncio.Future[Request]] | None](CHANGES_WAITING_MAX)

    # What the checkpoint asks and tells.

    def step_for(self, scanner: str, step: str) -> str:
        """Return the step that this scanner's scan is for: that of the request that waits for it, else `step`."""
        self._taken.pop(scanner, None)  # a scan before this one that came to nothing
        for request in self._requests.values():
            is_for_it = request.state is State.OPEN and request.scanner in (None, scanner)
            if is_for_it and self._left_s(request) > 0 and request.id not in self._taken.values():
                self._taken[scanner] = request.id
                self._due_s[request.id] = max(self._due_s[request.id], self._now_s() + SCAN_S_MAX)
                return request.step
        return step

    async def decided(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Record what a stored decision is to a request; one that asks opens one. Raises LedgerBroken.

        A refused scan leaves its request open: the patient may show another code until it lapses.
        """
        taken = self._requests.get(self._taken.get(scanner, b""))
        is_asking = decision.answer is Answer.ASK
        try:
            if decision.answer is Answer.REFUSE or (taken is None and not is_asking):
                return
            async with self._turn:
                await self._record(scanner, taken, decision, transaction)
        except LedgerFull:
            log.error("the ledger is full: a request is not recorded", extra={"seq": transaction.seq})
            await self._display.notice("ledger-full", "storage is full: nothing can be confirmed now")
        finally:
            self._taken.pop(scanner, None)

    async def _record(self, scanner: str, taken: Request | None, decision: Decision, transaction: Transaction) -> None:
        is_asking = decision.answer is Answer.ASK
        taken = None if taken is None else self._requests[taken.id]
        about = partial(
            replace, ledger_id=transaction.ledger_id, decision_seq=transaction.seq, scanner=scanner,
            asks=self._asks(decision.step),
        )  # fmt: skip
        if taken is not None and taken.state is State.OPEN:
            after = about(follow(taken, Event.SCANNED, is_asking=is_asking))
            await self._store(after, Event.SCANNED, by=None, wait_s=self._settings.ask_s)
        elif is_asking:
            request = Request(self._randomness.bytes(16), decision.step, State.ASKING, self._clock.now())
            await self._make_room()
            await self._store(about(request), Event.OPENED, by=None, wait_s=self._settings.ask_s)

    # What the local API calls (ports.Requests).

    def get(self, request_id: bytes) -> Request | None:
        """Return a request, also one that has been over for a little while."""
        return self._requests.get(request_id)

    def waiting(self) -> Sequence[Request]:
        """Return the requests that are open or asking, the oldest first."""
        return [request for request in self._requests.values() if request.state in LIVE]

    def left_s(self, request: Request) -> int | None:
        """Return how many whole seconds a request still waits; None where it is over."""
        return None if request.state not in LIVE else max(0, int(self._left_s(request)))

    async def open(self, by: Role, step: str, scanner: str | None, details: Mapping[str, str]) -> Request:
        """Ask that the next scan (of that scanner) be for a step. Raises RequestRefused, LedgerFull."""

        async def work() -> Request:
            asks = self._may_open(by, step, scanner)
            request = Request(self._randomness.bytes(16), step, State.OPEN, self._clock.now(), by=by)
            request = replace(request, scanner=scanner, asks=asks, details=dict(details))
            await self._make_room()
            return await self._store(request, Event.OPENED, by=by, wait_s=self._settings.open_s)

        return await self._call(work)

    async def change(self, by: Role, request_id: bytes, event: Event, items: Sequence[str] = ()) -> Request:
        """Confirm, cancel, add items; what has happened already is the answer. Raises RequestRefused, LedgerFull."""

        async def work() -> Request:
            request = self._requests.get(request_id)
            if request is None:
                raise RequestRefused(Refusal.REQUEST_UNKNOWN)
            require_items(request, items)
            after = follow(request, event, items=items)
            if after == request:
                return request
            return await self._store(after, event, by=by, items=new_items(request, items))

        return await self._call(work)

    # The task.

    async def restore(self) -> None:
        """Take up what an earlier run left asking; what was open lapses. Raises LedgerBroken."""
        requests, asked = fold(await self._recent_records())
        for request in requests.values():
            self._requests[request.id] = replace(request, asks=self._asks(request.step))
            if request.state in LIVE:
                left_s = self._settings.ask_s - self._waited_s(request) if request.state is State.ASKING else 0.0
                self._due_s[request.id] = self._now_s() + left_s
        for one in asked:
            if (left_s := self._settings.ask_s - self._waited_s(one)) > 0:
                request = replace(one, id=self._randomness.bytes(16), asks=self._asks(one.step))
                try:
                    await self._store(request, Event.OPENED, by=None, wait_s=left_s)
                except LedgerFull:
                    log.error("the ledger is full: a decision that asked cannot be confirmed")
        await self._lapse()
        self._forget_old()

    async def run(self) -> None:
        """Make the changes that are asked for, one by one, and let lapse what nobody went on with, for ever."""
        while True:
            try:
                async with asyncio.timeout_at(min(self._due_s.values(), default=None)):
                    call = await self._calls.get()
            except TimeoutError:
                call = None
            async with self._turn:
                await self._lapse()
                if call is not None:
                    await self._answer(*call)

    async def _answer(self, work: _Work, answer: "asyncio.Future[Request]") -> None:
        try:
            request = await work()
        except (RequestRefused, LedgerFull) as error:
            if not answer.done():
                answer.set_exception(error)
            return
        if not answer.done():  # the caller may have left
            answer.set_result(request)

    async def _call(self, work: _Work) -> Request:
        answer: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
        try:
            self._calls.put_nowait((work, answer))
        except asyncio.QueueFull:
            raise RequestRefused(Refusal.BUSY) from None
        return await answer

    async def _store(
        self, request: Request, event: Event, *, by: Role | None, wait_s: float | None = None, items: Sequence[str] = ()
    ) -> Request:
        """Make a request's new state durable, then true, then known; wait_s: how long it waits from now on."""
        at = self._clock.now()
        seq = request.decision_seq if request.ledger_id == self._ledger.ledger_id else None
        await self._ledger.append(draft_request(at, request, event, by=by, seq=seq, items=items))
        self._requests[request.id] = request
        if request.state not in LIVE:
            self._due_s.pop(request.id, None)
        elif wait_s is not None:
            self._due_s[request.id] = self._now_s() + wait_s
            self._nudge()
        self._forget_old()
        self._on_change(request)
        return request

    async def _lapse(self) -> None:
        """Let lapse by record what is due; without space for the record it lapses all the same."""
        for request in self.waiting():
            if self._left_s(request) <= 0:
                await self._end(request)

    async def _end(self, request: Request) -> None:
        after = follow(request, Event.LAPSED)
        try:
            await self._store(after, Event.LAPSED, by=None)
        except LedgerFull:
            log.error("the ledger is full: that a request lapsed is not recorded before the next start")
            self._requests[request.id] = after
            self._due_s.pop(request.id, None)
            self._on_change(after)

    async def _make_room(self) -> None:
        waiting = self.waiting()
        if len(waiting) >= WAITING_MAX:
            await self._end(waiting[0])

    def _forget_old(self) -> None:
        over = [request.id for request in self._requests.values() if request.state not in LIVE]
        for request_id in over[: max(0, len(over) - FINISHED_MAX)]:
            del self._requests[request_id]

    def _may_open(self, by: Role, step: str, scanner: str | None) -> str | None:
        """Return whose yes the step will ask for. Raises RequestRefused."""
        trust = self._trust_store.current
        if trust is None or trust.policy is None:
            raise RequestRefused(Refusal.NO_POLICY)
        if step not in trust.policy.steps:
            raise RequestRefused(Refusal.STEP_UNKNOWN)
        if scanner is not None and scanner not in self._scanners:
            raise RequestRefused(Refusal.SCANNER_UNKNOWN)
        asks = self._asks(step)
        if by is Role.KIOSK and needs_staff(asks):
            raise RequestRefused(Refusal.STAFF_NEEDED)
        for other in self.waiting():
            if other.state is State.OPEN and (scanner is None or other.scanner in (None, scanner)):
                raise RequestRefused(Refusal.REQUEST_OPEN, other)
        return asks

    def _asks(self, step: str) -> str | None:
        trust = self._trust_store.current
        found = trust.policy.steps.get(step) if trust is not None and trust.policy is not None else None
        return None if found is None else found.confirm

    async def _recent_records(self) -> list[dict[int, object]]:
        """Read the last records, as far back as one of them could still wait."""
        pages, last = list[list[dict[int, object]]](), self._ledger.head_seq
        while last > 0 and sum(map(len, pages)) < RESTORED_RECORDS_MAX:
            after = max(0, last - RESTORED_PAGE)
            found = await self._ledger.read(after, records_max=last - after, bytes_max=RESTORED_BYTES_MAX)
            page = [record_of(one.envelope) for one in found if one.seq <= last]
            if not page:
                break
            pages.append(page)
            age_ms = elapsed_ms(stamp_of(page[0]), self._clock.now())
            if age_ms is None or age_ms > 1000 * max(self._settings.ask_s, self._settings.open_s):
                break
            last = after
        return [record for page in reversed(pages) for record in page]

    def _waited_s(self, request: Request) -> float:
        waited_ms = elapsed_ms(request.at, self._clock.now())
        return math.inf if waited_ms is None else waited_ms / 1000

    def _left_s(self, request: Request) -> float:
        return self._due_s.get(request.id, 0.0) - self._now_s()

    def _nudge(self) -> None:
        """Have `run` look at the times anew; where calls are waiting it does so anyway."""
        with contextlib.suppress(asyncio.QueueFull):
            self._calls.put_nowait(None)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
