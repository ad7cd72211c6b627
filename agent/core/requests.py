"""Requests: a medical step that people or programs take part in, as its records tell it (record.cddl, request-record).

The law: a table says what may follow in which state, and nothing is so that a record does not say. Who stores the
records, and when a request lapses, is the task's; who may call is the console's, by `permits`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from agent.core.codes.national import is_card
from agent.core.codes.near_secrets import is_shaped_like_secret
from agent.core.decision import Answer
from agent.core.time_interval import Interval, Stamp
from agent.core.transaction import Draft, Kind

ITEMS_MAX = 200  # of one request; record.cddl, 22
ITEMS_BYTES_MAX = 6_000  # added at once: they go into one envelope of at most 8,192 bytes
_NO_STAFF = frozenset({None, "patient"})


class Event(IntEnum):
    """record.cddl: 25."""

    OPENED = 0
    SCANNED = 1
    CONFIRMED = 2
    CANCELLED = 3
    ITEMS_ADDED = 4
    LAPSED = 5


class Role(IntEnum):
    """Whose doing (record.cddl: 27), and who may call what on the local API."""

    PROGRAM = 0
    KIOSK = 1
    STAFF = 2


class State(StrEnum):
    """Where a request stands: open waits for a scan, asking for somebody's yes; done: scanned, and nobody was asked."""

    OPEN = "open"
    ASKING = "asking"
    DONE = "done"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"


class Refusal(StrEnum):
    """Why a call about a request is refused."""

    NO_POLICY = "no-policy"
    STEP_UNKNOWN = "step-unknown"
    SCANNER_UNKNOWN = "scanner-unknown"
    STAFF_NEEDED = "staff-needed"
    REQUEST_OPEN = "request-open"
    REQUEST_UNKNOWN = "request-unknown"
    REQUEST_OVER = "request-over"
    NOTHING_SCANNED = "nothing-scanned"
    NOT_ASKED = "not-asked"
    TOO_MANY_ITEMS = "too-many-items"
    ITEM_TWICE = "item-twice"
    NOT_A_PACKAGE = "not-a-package"
    BUSY = "busy"


class RequestRefused(Exception):
    """The call changes nothing. about: the request in its way, where there is one."""

    def __init__(self, why: Refusal, about: "Request | None" = None) -> None:
        super().__init__(why.value)
        self.why = why
        self.about = about


LIVE = frozenset({State.OPEN, State.ASKING})

_NEXT = {
    (State.OPEN, Event.SCANNED): State.DONE,  # or ASKING, where the decision asked for somebody's yes
    (State.OPEN, Event.CANCELLED): State.CANCELLED,
    (State.OPEN, Event.LAPSED): State.LAPSED,
    (State.ASKING, Event.CONFIRMED): State.CONFIRMED,
    (State.ASKING, Event.CANCELLED): State.CANCELLED,
    (State.ASKING, Event.LAPSED): State.LAPSED,
    (State.ASKING, Event.ITEMS_ADDED): State.ASKING,
    (State.CONFIRMED, Event.ITEMS_ADDED): State.CONFIRMED,
    (State.DONE, Event.ITEMS_ADDED): State.DONE,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request. at: of the record since which it waits; by: who opened it, None: a decision that asked.

    scanner: whose next scan it is for, None: any; asks: whose yes is needed; details: the caller's own words. These
    three are not in the records: after a restart scanner and details are unknown, and `asks` is the policy's.
    """

    id: bytes
    step: str
    state: State
    at: Stamp
    by: Role | None = None
    ledger_id: bytes = b""
    decision_seq: int | None = None
    items: tuple[str, ...] = ()
    scanner: str | None = None
    asks: str | None = None
    details: Mapping[str, str] = field(default_factory=dict, repr=False)


def permits(request: Request, event: Event, by: Role, *, program_may_confirm: bool) -> bool:
    """Say whether somebody may confirm, cancel or add items: staff may; others as far as only the patient is asked."""
    is_patients = request.asks == "patient" and request.decision_seq is not None
    match by:
        case Role.STAFF:
            return True
        case Role.PROGRAM:
            return event is Event.CANCELLED or program_may_confirm or (event is Event.CONFIRMED and is_patients)
        case Role.KIOSK:
            is_own = request.by is Role.KIOSK
            return (event is Event.CANCELLED and (is_own or is_patients)) or (event is Event.CONFIRMED and is_patients)


def needs_staff(asks: str | None) -> bool:
    """Say whether a step whose yes is `asks` needs somebody of the staff, so that a kiosk may not open it."""
    return asks not in _NO_STAFF


def follow(request: Request, event: Event, *, is_asking: bool = False, items: Sequence[str] = ()) -> Request:
    """Return the request after an event; the same where the event has already happened. Raises RequestRefused."""
    if (event, request.state) in {(Event.CONFIRMED, State.CONFIRMED), (Event.CANCELLED, State.CANCELLED)}:
        return request
    state = _NEXT.get((request.state, event))
    if state is None:
        raise RequestRefused(_in_the_way(request.state), request)
    if event is Event.SCANNED and is_asking:
        state = State.ASKING
    if event is Event.ITEMS_ADDED:
        if len(set(items)) < len(items):  # one package scanned twice: whoever counts packages must know
            raise RequestRefused(Refusal.ITEM_TWICE, request)
        items = new_items(request, items)
        if len(request.items) + len(items) > ITEMS_MAX or sum(map(len, items)) > ITEMS_BYTES_MAX:
            raise RequestRefused(Refusal.TOO_MANY_ITEMS, request)
    return replace(request, state=state, items=(*request.items, *items))


def require_items(request: Request, items: Sequence[str]) -> None:
    """Refuse what is no package: a patient's code, scanned into the wrong field, would stand in the record in clear.

    Raises RequestRefused.
    """
    if any(is_card(item) or is_shaped_like_secret(item.encode()) for item in items):
        raise RequestRefused(Refusal.NOT_A_PACKAGE, request)


def new_items(request: Request, items: Sequence[str]) -> tuple[str, ...]:
    """Return the items that the request does not have yet, each once: a call that is repeated adds nothing."""
    return tuple(item for item in dict.fromkeys(items) if item not in request.items)


def draft_request(
    at: Stamp, request: Request, event: Event, *, by: Role | None, seq: int | None = None, items: Sequence[str] = ()
) -> Draft:
    """Draft the record of one event (record.cddl, request-record); seq: of the decision it is about."""
    body: dict[int, object] = {10: request.step, 24: request.id, 25: int(event)}
    if items:
        body[22] = list(items)
    if seq is not None:
        body[26] = seq
    if by is not None:
        body[27] = int(by)
    return Draft(Kind.REQUEST, at, body)


def elapsed_ms(then: Stamp, now: Stamp) -> int | None:
    """Return how long ago `then` was, at most; None where nobody can say (another boot, and no bound on the time)."""
    if then.boot_id == now.boot_id:
        return max(0, now.raw_ms - then.raw_ms)
    return None if now.now.latest_ms is None else max(0, now.now.latest_ms - then.now.earliest_ms)


def stamp_of(record: Mapping[int, object]) -> Stamp:
    """Return when a record of our own says that it was written. Raises ValueError on what is none."""
    stamp = record[6]
    if not isinstance(stamp, list):
        raise ValueError("a record without a stamp")
    boot_id, raw_ms, earliest_ms, latest_ms, source = stamp
    return Stamp(boot_id, raw_ms, Interval(earliest_ms, latest_ms), source)


def fold(records: Iterable[Mapping[int, object]]) -> tuple[dict[bytes, Request], list[Request]]:
    """Return the requests that records tell of, by id, and for each decision that asked and has none, one to be opened.

    records: consecutive, in order of seq. What does not fit (its beginning lies before the records) is passed over.
    """
    requests = dict[bytes, Request]()
    asked = dict[int, Request]()
    for record in records:
        match record.get(5):
            case Kind.DECISION if record.get(11) == Answer.ASK:
                one = _begun(record, b"", State.ASKING)
                if one.decision_seq is not None:
                    asked[one.decision_seq] = one
            case Kind.REQUEST:
                _take_in(requests, asked, record)
    taken = {request.decision_seq for request in requests.values()}
    return requests, [one for seq, one in asked.items() if seq not in taken]


def _take_in(requests: dict[bytes, Request], asked: Mapping[int, Request], record: Mapping[int, object]) -> None:
    id_, number, seq = record.get(24), record.get(25), record.get(26)
    if not isinstance(id_, bytes) or not isinstance(number, int) or number not in set(Event):
        return
    event = Event(number)
    if event is Event.OPENED:
        requests[id_] = _begun(record, id_, State.OPEN if seq is None else State.ASKING)
        return
    request = requests.get(id_)
    if request is None:
        return
    items = record.get(22)
    try:
        after = follow(
            request,
            event,
            is_asking=isinstance(seq, int) and seq in asked,
            items=[str(item) for item in items] if isinstance(items, list) else (),
        )
    except RequestRefused:
        return
    if event is Event.SCANNED:
        after = replace(after, at=stamp_of(record), decision_seq=seq if isinstance(seq, int) else None)
    requests[id_] = after


def _begun(record: Mapping[int, object], id_: bytes, state: State) -> Request:
    seq, role, ledger_id = record.get(26, record.get(3) if not id_ else None), record.get(27), record.get(2)
    return Request(
        id=id_,
        step=str(record.get(10)),
        state=state,
        at=stamp_of(record),
        by=Role(role) if isinstance(role, int) and role in set(Role) else None,
        ledger_id=ledger_id if isinstance(ledger_id, bytes) else b"",
        decision_seq=seq if isinstance(seq, int) else None,
    )


def _in_the_way(state: State) -> Refusal:
    match state:
        case State.OPEN:
            return Refusal.NOTHING_SCANNED
        case State.DONE:
            return Refusal.NOT_ASKED
        case _:
            return Refusal.REQUEST_OVER
