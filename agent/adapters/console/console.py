"""What people on the spot see: every decision and notice, as lines on the terminal and as server-sent events.

Only what the tasks hand over, after the commit. A listener that does not keep up is dropped, never waited for. An event
names the record, the step, the answer and the reason; of a person at most the masked name that the platform gave, once,
to those who listen now: it is neither kept for later listeners nor written. A public screen gets public events only.
"""

import asyncio
import contextlib
from collections import deque

import msgspec

from agent.adapters.console.lines import Lines
from agent.adapters.console.metrics import Counts
from agent.adapters.console.texts import text_for
from agent.core.decision import Decision
from agent.core.requests import Request
from agent.core.transaction import Transaction

LISTENERS_MAX = 16
EVENTS_WAITING_MAX = 256
RECENT_EVENTS_MAX = 100
NOTICES_MAX = 100
PUBLIC_NOTICES = frozenset({"identify", "ledger-full", "parts"})  # what a patient before the screen should know

PASSING_NOTICES = frozenset({"parts"})  # one patient's, for a minute: they would push out what staff must read

MARKS = ("[ OK ]", "[ ~~ ]", "[ ?? ]", "[ XX ]")  # by Answer: shape beside colour
COLOURS = ("\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[31m")


class Event(msgspec.Struct, frozen=True):
    """One event: number, topic and the JSON that goes out. is_public: for a screen in a hall, too."""

    number: int
    topic: str
    data: str
    is_public: bool = True


class Listener:
    """One listener's bounded queue; `is_dropped` once it fell behind or the console closed."""

    def __init__(self, *, is_public: bool = False) -> None:
        self.is_public = is_public
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(EVENTS_WAITING_MAX)
        self.is_dropped = False

    def put(self, event: Event) -> None:
        """Queue an event, or drop the listener that has too many waiting."""
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            self.is_dropped = True

    def drop(self) -> None:
        """End `next` for good."""
        self.is_dropped = True
        with contextlib.suppress(asyncio.QueueFull):  # a full queue wakes it anyway
            self._events.put_nowait(None)

    async def next(self) -> Event | None:
        """Return the next event; None once dropped."""
        event = None if self.is_dropped else await self._events.get()
        return None if self.is_dropped else event


class Console:
    """Implements ports.Display."""

    def __init__(self, *, lines_to: Lines | None) -> None:
        self._lines_to = lines_to
        self._listeners = dict[Listener, None]()  # the oldest first
        self._recent = deque[Event](maxlen=RECENT_EVENTS_MAX)
        self._notices = deque[tuple[float, str, str]](maxlen=NOTICES_MAX)
        self._count = 0
        self.counts = Counts()
        self.why_absent = dict[str, str]()  # by scanner, the last word of each

    async def show(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Show a stored decision (ports.Display)."""
        self.counts.decided(decision)
        texts = text_for(decision)
        verdict = decision.verdict
        self._publish(
            "decision",
            {
                "seq": transaction.seq,
                "ledger_id": transaction.ledger_id.hex(),
                "hash": transaction.hash.hex(),
                "scanner": scanner,
                "step": decision.step,
                "answer": decision.answer.name.lower(),
                "reason": decision.reason,
                "family": verdict.family,
                "verdict": verdict.outcome.value,
                "proof": verdict.proof,
                "type": verdict.claims.type.name.lower() if verdict.claims.type is not None else None,
                "unchecked": list(verdict.unchecked),
                "name": None,
                "text": texts,
            },
            live={"name": verdict.claims.masked_name} if verdict.claims.masked_name else None,
        )
        self._line(
            decision.answer,
            f"#{transaction.seq} {scanner} {decision.step} {decision.answer.name.lower()} {decision.reason} "
            f"({verdict.family}, {verdict.outcome.value})  {texts['zh']}  {texts['en']}",
        )

    async def notice(self, topic: str, text: str) -> None:
        """Show something about the terminal itself (ports.Display)."""
        self.tell(topic, text)

    def tell(self, topic: str, text: str) -> None:
        """Do the same from a callback."""
        if topic not in PASSING_NOTICES:
            self._notices.append((asyncio.get_running_loop().time(), topic, text))
        self._publish("notice", {"topic": topic, "text": text}, is_public=topic in PUBLIC_NOTICES)
        self._line(None, f"{topic}: {text}")

    def scanner(self, scanner: str, presence: str, why: str) -> None:
        """Tell programs and staff that a scanner came or went; what the log reads of it is a notice."""
        self.why_absent[scanner] = why
        self._publish("scanner", {"scanner": scanner, "presence": presence, "why": why}, is_public=False)

    def delivery(self, uplink: dict[str, object]) -> None:
        """Tell programs how far delivery is: what GET /v1/status says of an uplink."""
        self._publish("delivery", uplink, is_public=False)

    def request(self, request: Request, left_s: int | None) -> None:
        """Tell of a request's new state, after its record."""
        self._publish("request", request_event(request, left_s))

    def notices(self) -> list[dict[str, object]]:
        """Return the last notices and how long ago each was, the newest last."""
        now_s = asyncio.get_running_loop().time()
        return [{"topic": topic, "text": text, "age_s": round(now_s - at_s, 1)} for at_s, topic, text in self._notices]

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def listen(self, *, is_public: bool = False) -> Listener:
        """Return a new listener; where there are too many, drop the oldest: a page that reloads must always get in."""
        while len(self._listeners) >= LISTENERS_MAX:
            oldest = next(iter(self._listeners))
            oldest.drop()
            self.forget(oldest)
        listener = Listener(is_public=is_public)
        self._listeners[listener] = None
        return listener

    def forget(self, listener: Listener) -> None:
        """Drop a listener."""
        self._listeners.pop(listener, None)

    def close(self) -> None:
        """Drop every listener, so that the server can stop at once."""
        for listener in self._listeners:
            listener.drop()
        self._listeners.clear()

    def recent(self, after: int) -> list[Event]:
        """Return the kept events with a number above `after`, oldest first."""
        if after > self._count:  # numbered by an earlier run of the agent
            after = 0
        return [event for event in self._recent if event.number > after]

    def _publish(
        self, topic: str, content: dict[str, object], *, live: dict[str, object] | None = None, is_public: bool = True
    ) -> None:
        """Hand out an event. live: what only those who listen now are told. is_public: also to public screens."""
        self._count += 1
        event = kept = Event(self._count, topic, msgspec.json.encode(content).decode(), is_public)
        if live:
            event = Event(self._count, topic, msgspec.json.encode(content | live).decode(), is_public)
        self._recent.append(kept)
        for listener in list(self._listeners):
            if listener.is_public and not is_public:
                continue
            listener.put(event)
            if listener.is_dropped:
                self.forget(listener)

    def _line(self, answer: int | None, text: str) -> None:
        if self._lines_to is None:
            return
        mark = "[ -- ]" if answer is None else MARKS[answer]
        if answer is not None and self._lines_to.isatty():
            mark = f"{COLOURS[answer]}{mark}\x1b[0m"
        self._lines_to.write(f"{mark} {text}\n")


def request_event(request: Request, left_s: int | None) -> dict[str, object]:
    """Return what anybody may know of a request: not its items, nor the words its caller gave."""
    return {
        "request": request.id.hex(),
        "state": request.state.value,
        "step": request.step,
        "scanner": request.scanner,
        "asks": request.asks,
        "seq": request.decision_seq,
        "item_count": len(request.items),
        "expires_in_s": left_s,
    }
