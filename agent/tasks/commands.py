"""Carry out what the platform asks, each command once, and answer it (docs/protocol/command.cddl).

The law: nothing is done that is not the platform's signed word for this terminal, in time, and nothing before its id is
durable; whatever comes again gets the same answer. What is no such word does nothing, and people hear of it once in a
while.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from agent.core.commands import (
    Command,
    CommandInvalid,
    Memory,
    MemoryFull,
    Outcome,
    encode_answer,
    read_command,
)
from agent.core.formats.cbor import CborInvalid
from agent.core.transaction import Signer
from agent.ports import (
    Clock,
    Display,
    LedgerFull,
    NamedValues,
    PlatformRejected,
    PlatformUnreachable,
    TrustStore,
    Uplink,
)

log = logging.getLogger(__name__)

TOPIC = "command"
MEMORY = "commands.memory"  # the name of the durable value
WAITING_MAX = 32  # commands that came and were not looked at; a hello brings 16
DOING_S_MAX = 30.0
TOLD_INTERVAL_S = 60.0  # people hear at most so often of what is not the platform's
ANSWER_AGAIN_S_MIN = 5.0  # the same command again within this time is not answered again
ANSWERED_KEPT_MAX = 64


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command. then: what follows once the answer is on its way, e.g. the orderly stop."""

    outcome: Outcome
    text: str
    then: Callable[[], None] | None = None


Doing = Callable[[], Awaitable[Done]]
"""Carries out one kind of command."""


class CommandQueue:
    """Implements ports.CommandSink: commands from whichever carrier, until they are looked at."""

    def __init__(self) -> None:
        self._waiting = deque[bytes]()
        self._news = asyncio.Event()
        self._is_crowded = False  # and the log says so, once

    def offer(self, signed: bytes) -> None:
        """Take a command in; where too many wait, drop it: it comes again after the next hello."""
        if len(self._waiting) >= WAITING_MAX:
            if not self._is_crowded:
                log.warning("too many commands at once: some are dropped, and will come again")
            self._is_crowded = True
        elif signed not in self._waiting:
            self._waiting.append(signed)
            self._news.set()

    async def next(self) -> bytes:
        """Return the next command, unverified."""
        while not self._waiting:
            self._is_crowded = False
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()


class Commands:
    """Carries out what comes in by `queue`. doings: by kind."""

    def __init__(
        self,
        queue: CommandQueue,
        *,
        terminal: str,
        signer: Signer,
        uplink: Uplink,
        trust_store: TrustStore,
        values: NamedValues,
        display: Display,
        clock: Clock,
        doings: Mapping[str, Doing],
    ) -> None:
        self._queue = queue
        self._terminal = terminal
        self._signer = signer
        self._uplink = uplink
        self._trust_store = trust_store
        self._values = values
        self._display = display
        self._clock = clock
        self._doings = doings
        self._memory = Memory()
        self._answered_at_s = OrderedDict[bytes, float]()
        self._told_at_s: float | None = None
        self._untold = 0

    async def run(self) -> None:
        """Carry out commands for ever. Raises LedgerBroken."""
        await self._restore()
        while True:
            await self._look_at(await self._queue.next())

    async def _restore(self) -> None:
        kept = await self._values.get(MEMORY)
        if kept is None:
            return
        try:
            self._memory = Memory.from_bytes(kept)
        except (CborInvalid, ValueError):  # written by us, in one commit: a later version's, or a fault of the disk
            log.error("the memory of commands cannot be read: it begins anew", extra={"bytes": len(kept)})

    async def _look_at(self, signed: bytes) -> None:
        trust = self._trust_store.current
        if trust is None:
            log.info("a command has to wait: there is no trust list to check it by")
            return
        now = self._clock.now().now
        try:
            command = read_command(signed, self._terminal, trust, now)
        except CommandInvalid as error:
            await self._tell_refused(str(error))
            return
        known = self._memory.find(command.id)
        if known is not None:
            if known.outcome is None:
                text = "the agent ended while carrying it out; it was not tried again"
                await self._answer(command, Outcome.FAILED, text)
            else:
                await self._answer(command, known.outcome, known.text)
        elif self._memory.is_over(command, now):
            await self._tell_refused(f"its time is over ({command.kind})")
            await self._answer(command, Outcome.OVER, "it came after its time")
        else:
            await self._carry_out(command)

    async def _carry_out(self, command: Command) -> None:
        """Make the id durable, act, make the answer durable, answer."""
        try:
            self._memory.begin(command, self._clock.now().now)
            await self._values.set(MEMORY, self._memory.to_bytes())
        except (MemoryFull, LedgerFull) as error:
            self._memory.drop(command)
            log.warning("a command has to wait", extra={"kind": command.kind, "why": str(error)})
            return
        log.info("the platform commands", extra={"kind": command.kind})
        done = await self._do(command)
        known = self._memory.end(command, done.outcome, done.text)
        try:
            await self._values.set(MEMORY, self._memory.to_bytes())
        except LedgerFull:
            log.warning("no space to keep the answer to a command", extra={"kind": command.kind})
        await self._answer(command, done.outcome, known.text)
        if done.then is not None:
            done.then()

    async def _do(self, command: Command) -> Done:
        doing = self._doings.get(command.kind)
        if doing is None:
            return Done(Outcome.UNKNOWN, "this terminal does not know this kind of command")
        try:
            async with asyncio.timeout(DOING_S_MAX):
                return await doing()
        except TimeoutError:
            return Done(Outcome.FAILED, f"not done within {DOING_S_MAX:g} s")

    async def _answer(self, command: Command, outcome: Outcome, text: str) -> None:
        """Answer; a lost answer is asked for by the same command again."""
        now_s = asyncio.get_running_loop().time()
        answered_s = self._answered_at_s.get(command.id)
        if answered_s is not None and now_s - answered_s < ANSWER_AGAIN_S_MIN:
            return
        at_ms = self._clock.now().now.earliest_ms
        try:
            await self._uplink.tell_answer(
                encode_answer(self._signer, self._terminal, command.id, outcome, text, at_ms)
            )
        except (PlatformUnreachable, PlatformRejected) as error:
            log.warning("the answer to a command did not go out", extra={"kind": command.kind, "why": str(error)})
            return
        self._answered_at_s[command.id] = now_s
        while len(self._answered_at_s) > ANSWERED_KEPT_MAX:
            self._answered_at_s.popitem(last=False)

    async def _tell_refused(self, why: str) -> None:
        """Say aloud that something posed as a command; a flood of them is counted, not shown one by one."""
        now_s = asyncio.get_running_loop().time()
        if self._told_at_s is not None and now_s - self._told_at_s < TOLD_INTERVAL_S:
            self._untold += 1
            return
        more = f", and {self._untold} more" if self._untold else ""
        self._told_at_s, self._untold = now_s, 0
        log.warning("a command was not carried out", extra={"why": why})
        await self._display.notice(TOPIC, f"a command was not carried out: {why}{more}")
