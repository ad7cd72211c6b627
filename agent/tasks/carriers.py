"""Several ways to one platform, in order of preference, as one uplink: they share its cursor, and so the records.

The law: a request goes out by the carrier in use; where that is down, by the next at once; a carrier that fails round
after round, or whose answer is not the platform's, is left, and tried again after a while. People hear of a change, not
of tries.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from agent.core.answers import printable
from agent.ports import Carrier, CarrierDown, Display, PlatformRejected, PlatformUnreachable

log = logging.getLogger(__name__)

FAILED_ROUNDS_MAX = 2  # a round: from a hello to the next. Failed: trouble, and no receipt at all
SETTLE_S = 1.0  # a change is told once it has lasted: what a forger answers is found out sooner
RETURN_DELAY_S_MAX = 3_600.0  # the pause before a preferred carrier that answers, but badly, is tried again
STOOD_S_MIN = 600.0  # one that stood this long starts again with the first pause
ANSWERS_KEPT_MAX = 64  # whose answers are known: a window has 8


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[carriers]. return_interval_s: how soon the preferred carrier is tried again after another took over."""

    return_interval_s: float = 30.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.return_interval_s <= RETURN_DELAY_S_MAX:
            raise ValueError(f"return_interval_s must lie in [0.1, {RETURN_DELAY_S_MAX:.0f}]")


@dataclass(slots=True)
class _Round:
    """What came of the requests between two hellos, by the carrier in use."""

    troubles: int = 0
    receipts: int = 0
    answers: int = 0


class Carriers:
    """Implements ports.Uplink over carriers, the preferred one first. `run` tries to go back to that one.

    greet_soon: asks for a hello: the carrier in use seems to be gone, or the preferred one back. It is always a fresh
    one: an old one, said again, looks to the platform like a terminal that was restored from an image.
    """

    name = "platform"  # of the cursor

    def __init__(self, carriers: Sequence[Carrier], *, display: Display, settings: Settings) -> None:
        if not carriers:
            raise ValueError("at least one carrier is needed")
        self._carriers = tuple(carriers)
        self._display = display
        self._settings = settings
        self._at = 0  # the carrier in use
        self._since_s: float | None = None
        self._why = ""  # the preferred carrier is not in use
        self._failed_rounds = 0
        self._round = _Round()
        self._trouble = ""  # the last one with the carrier in use
        self._has_answered = False  # the carrier in use, since it is
        self._is_trying = False  # the next hello goes by the preferred carrier first
        self._answered = OrderedDict[bytes, int]()  # hash of an answer: by which carrier it came
        self._left_at_s = 0.0
        self._return_delay_s = settings.return_interval_s
        self._changed = asyncio.Event()
        self._left = asyncio.Event()  # set while the preferred carrier is not in use
        self.greet_soon: Callable[[], None] = _nobody
        self._told = 0  # the carrier people were told of; at first the preferred one, untold

    @property
    def in_use(self) -> Carrier:
        """Return the carrier that requests go out by."""
        return self._carriers[self._at]

    def status(self) -> dict[str, object]:
        """Return which carrier is in use, since how long (None: from the start), and why not the preferred one."""
        return {
            "carrier": self.in_use.kind,
            "for_s": None if self._since_s is None else int(_now_s() - self._since_s),
            "preferred": self._carriers[0].kind,
            "why_not_preferred": self._why or None,
        }

    async def run(self) -> None:
        """Tell people of changes and try the preferred carrier again, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_changes(), name="carriers:tell")
            group.create_task(self._go_back(), name="carriers:return")

    async def hello(self, hello: bytes) -> bytes:
        """Send a hello by the carrier in use (ports.Uplink)."""
        self._end_round()
        if self._is_trying and self._at != 0:
            answer = await self._preferred_answers(hello)
            if answer is not None:
                return answer
        return await self._send_by_any(lambda carrier: carrier.hello(hello), is_batch=False)

    async def send(self, batch: bytes) -> bytes:
        """Send a batch by the carrier in use (ports.Uplink)."""
        return await self._send_by_any(lambda carrier: carrier.send(batch), is_batch=True)

    def distrust(self, answer: bytes) -> None:
        """Leave the carrier this answer came by, if it is still in use (ports.Uplink)."""
        at = self._answered.pop(_hash(answer), None)
        if at == self._at:
            self._leave("an answer was not the platform's")

    async def tell_status(self, status: bytes) -> None:
        """Hand over a status by the carrier in use (ports.Uplink)."""
        with self._doubting():
            await self.in_use.tell_status(status)

    async def tell_answer(self, answer: bytes) -> None:
        """Hand over the answer to a command by the carrier in use (ports.Uplink)."""
        with self._doubting():
            await self.in_use.tell_answer(answer)

    def lost(self, carrier: Carrier) -> None:
        """Take note that a carrier's link broke."""
        if carrier is self.in_use:
            self.greet_soon()

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        try:
            yield
        except PlatformUnreachable:
            self.greet_soon()
            raise

    async def _send_by_any(self, request: Callable[[Carrier], Awaitable[bytes]], *, is_batch: bool) -> bytes:
        """Send by the carrier in use; where it is down, nothing was sent, so the next may take it at once."""
        down = CarrierDown("no carrier")
        for _ in self._carriers:
            at = self._at
            try:
                answer = await request(self._carriers[at])
            except CarrierDown as error:
                down = error
                if at == self._at:
                    self._leave(printable(str(error)))
            except (PlatformUnreachable, PlatformRejected) as error:
                if at == self._at:
                    self._round.troubles += 1
                    self._trouble = printable(str(error))
                raise
            else:
                self._note_answer(answer, at, is_batch=is_batch)
                return answer
        raise down

    def _note_answer(self, answer: bytes, at: int, *, is_batch: bool) -> None:
        self._answered[_hash(answer)] = at
        while len(self._answered) > ANSWERS_KEPT_MAX:
            self._answered.popitem(last=False)
        if at == self._at:
            self._has_answered = True
            self._round.answers += 1
            self._round.receipts += is_batch

    def _end_round(self) -> None:
        """Judge the requests since the last hello, and leave a carrier by which nothing comes through."""
        ended, self._round = self._round, _Round()
        if ended.troubles and not ended.receipts:
            self._failed_rounds += 1
        elif ended.answers:
            self._failed_rounds = 0
        if self._failed_rounds >= FAILED_ROUNDS_MAX:
            self._leave(self._trouble)

    def _leave(self, why: str) -> None:
        """Go on by the next carrier, if there is one."""
        self._failed_rounds, self._round = 0, _Round()
        if len(self._carriers) == 1:
            return
        if self._at == 0:
            if self._has_answered:
                stood_s = STOOD_S_MIN if self._since_s is None else _now_s() - self._since_s
                is_well = stood_s >= STOOD_S_MIN
                first_s = self._settings.return_interval_s
                self._return_delay_s = first_s if is_well else min(2 * self._return_delay_s, RETURN_DELAY_S_MAX)
            self._why = why
            self._left_at_s = _now_s()
        self._use((self._at + 1) % len(self._carriers))

    def _use(self, at: int) -> None:
        self._at, self._since_s, self._has_answered = at, _now_s(), False
        if at == 0:
            self._why = ""
            self._left.clear()
        else:
            self._left.set()
        self._changed.set()

    async def _tell_changes(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE_S)
            self._changed.clear()
            if self._at == self._told:
                continue
            self._told = self._at
            text = f"records go by way of {self.in_use.kind}"
            if self._why:
                text += f": {self._carriers[0].kind} does not work: {self._why}"
            log.warning("another carrier is used", extra={"carrier": self.in_use.kind, "why": self._why})
            await self._display.notice("uplink", text)

    async def _go_back(self) -> None:
        """Try the preferred carrier again, after the pause since it was left or tried last."""
        while True:
            await self._left.wait()
            pause_s = self._left_at_s + self._return_delay_s - _now_s()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
            else:
                self._left_at_s = _now_s()
                if self._carriers[0].is_connected:
                    self._is_trying = True
                    self.greet_soon()

    async def _preferred_answers(self, hello: bytes) -> bytes | None:
        """Say hello by the preferred carrier, and go back to it if it is answered; return the answer.

        Whether the platform answers, or somebody in its place, finds out who asked: distrust() leaves again.
        """
        self._is_trying = False
        try:
            answer = await self._carriers[0].hello(hello)
        except (PlatformUnreachable, PlatformRejected) as error:
            self._why, self._left_at_s = printable(str(error)), _now_s()
            return None
        self._failed_rounds, self._round = 0, _Round()
        self._use(0)
        self._note_answer(answer, 0, is_batch=False)
        return answer


def _nobody() -> None:
    """Tell nobody."""


def _hash(answer: bytes) -> bytes:
    return hashlib.sha256(answer).digest()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
