"""Feed the service manager's watchdog, but only while everything that has to live is seen to be alive.

The law: nothing is fed that was not checked in the same round: the loop is on time, the ledger's thread answers, every
scanner is read or looked for, no task has ended. One bad round costs one beat; a whole watchdog time of them costs the
process. Ending it and starting it again is left to the service manager.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from agent.ports import Scanner

log = logging.getLogger(__name__)

ROUNDS = 5  # in one watchdog time: beats lie two fifths of it apart at worst, and a single bad round ends nothing
ROUND_S_UNWATCHED = 15.0  # where nobody watches: faults are logged and the status is told all the same
LAG_S_MAX = 2.0  # what a person in front of the screen may have to wait for the loop; less where rounds are short


class Manager(Protocol):
    """The service manager as the watchdog speaks to it."""

    def alive(self) -> None:
        """Feed the watchdog."""
        ...

    def status(self, text: str) -> None:
        """Show one line."""
        ...


class Answering(Protocol):
    """Something with a thread of its own."""

    async def answer(self) -> None:
        """Return once the thread has done nothing, behind what was given to it before."""
        ...


@runtime_checkable
class Read(Protocol):
    """A scanner that can say whether it is still read."""

    def why_silent(self) -> str | None:
        """Say why no scan can come through any more, though the device may be fine; None while all is well."""
        ...


@dataclass(frozen=True, slots=True)
class Watchdog:
    """What is watched. watchdog_s: how long the manager waits for a beat, None where it does not watch.

    may_end: names of tasks that are allowed to end while the agent runs; every other one must not.
    """

    service: Manager
    ledger: Answering
    scanners: Sequence[Scanner]
    watchdog_s: float | None = None
    may_end: AbstractSet[str] = field(default_factory=frozenset)

    async def keep(self, tasks: Mapping[str, asyncio.Task[None]]) -> None:
        """Check and feed for ever. Raises LedgerBroken."""
        loop = asyncio.get_running_loop()
        round_s = ROUND_S_UNWATCHED if self.watchdog_s is None else self.watchdog_s / ROUNDS
        lag_s = 0.0
        while True:
            faults = [fault for fault in (_lag(lag_s, round_s), self._tasks(tasks), self._scanners()) if fault]
            if fault := await self._ledger(round_s):
                faults.append(fault)
            if faults:
                log.error("the watchdog is not fed: %s", "; ".join(faults))
            elif self.watchdog_s is not None:
                self.service.alive()
            self.service.status(f"not well: {'; '.join(faults)}" if faults else self._summary())
            due_s = loop.time() + round_s
            await asyncio.sleep(round_s)
            lag_s = loop.time() - due_s

    def _tasks(self, tasks: Mapping[str, asyncio.Task[None]]) -> str | None:
        ended = sorted(name for name, task in tasks.items() if task.done() and name not in self.may_end)
        return f"ended though they must not: {', '.join(ended)}" if ended else None

    def _scanners(self) -> str | None:
        silent = [(s.id, why) for s in self.scanners if isinstance(s, Read) and (why := s.why_silent()) is not None]
        return "; ".join(f"scanner {name} is not read: {why}" for name, why in silent) or None

    async def _ledger(self, bound_s: float) -> str | None:
        try:
            async with asyncio.timeout(bound_s):
                await self.ledger.answer()
        except TimeoutError:
            return f"the ledger has not answered for {bound_s:g} s"
        return None

    def _summary(self) -> str:
        present = sum(s.presence == "present" for s in self.scanners)
        return f"running; {present} of {len(self.scanners)} scanners present"


def _lag(lag_s: float, round_s: float) -> str | None:
    bound_s = min(LAG_S_MAX, round_s)
    return f"the event loop was {lag_s:.1f} s late" if lag_s > bound_s else None
