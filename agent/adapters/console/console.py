"""What people on the spot see: every decision and notice, as lines on the terminal and as server-sent events.

Only what checkpoint and delivery hand over, after the commit. A listener that does not keep up is dropped, never waited
for. An event names the record, the step, the answer and the reason; of a person at most the masked name that the
platform gave, once, to those who listen now: it is neither kept for later listeners nor written.
"""

import asyncio
import contextlib
from collections import deque

import msgspec

from agent.adapters.console.lines import Lines
from agent.adapters.console.texts import text_for
from agent.core.decision import Decision
from agent.core.transaction import Transaction

LISTENERS_MAX = 16
EVENTS_WAITING_MAX = 256
RECENT_EVENTS_MAX = 100

MARKS = ("[ OK ]", "[ ~~ ]", "[ ?? ]", "[ XX ]")  # by Answer: shape beside colour
COLOURS = ("\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[31m")


class Event(msgspec.Struct, frozen=True):
    """One event: number, topic and the JSON that goes out."""

    number: int
    topic: str
    data: str


class Listener:
    """One listener's bounded queue; `is_dropped` once it fell behind or the console closed."""

    def __init__(self) -> None:
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
        self._count = 0

    async def show(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Show a stored decision (ports.Display)."""
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
        self._publish("notice", {"topic": topic, "text": text})
        self._line(None, f"{topic}: {text}")

    def listen(self) -> Listener:
        """Return a new listener; where there are too many, drop the oldest: a page that reloads must always get in."""
        while len(self._listeners) >= LISTENERS_MAX:
            oldest = next(iter(self._listeners))
            oldest.drop()
            self.forget(oldest)
        listener = Listener()
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

    def _publish(self, topic: str, content: dict[str, object], *, live: dict[str, object] | None = None) -> None:
        """Hand out an event. live: what only those who listen now are told."""
        self._count += 1
        event = kept = Event(self._count, topic, msgspec.json.encode(content).decode())
        if live:
            event = Event(self._count, topic, msgspec.json.encode(content | live).decode())
        self._recent.append(kept)
        for listener in list(self._listeners):
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
