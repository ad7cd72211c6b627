"""Send the salvaged records of earlier ledgers between live ones: a batch at a time, under their own ledger's id.

The law: their trouble never holds live records up; what is refused is parked only where the platform has given a valid
receipt for something else since. When to send, and over what, is the delivery's business.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence

from agent.core.backoff import Backoff, TokenBucket
from agent.core.delivery import (
    BATCH_BYTES_MAX,
    BATCH_OVERHEAD_BYTES,
    BATCH_RECORDS_MAX,
    SalvagedRun,
    StoredRecord,
)
from agent.ports import (
    Display,
    Ledger,
    LedgerFull,
    PlatformLied,
    PlatformRejected,
    PlatformUnreachable,
    Randomness,
)

log = logging.getLogger(__name__)

RECORDS_BYTES_MAX = BATCH_BYTES_MAX - BATCH_OVERHEAD_BYTES
Outcome = list[tuple[int, str]] | PlatformUnreachable | PlatformRejected | PlatformLied
"""What a batch led to: (seq, reason) of what the platform rejected, or the trouble."""


class SalvagedDelivery:
    """Sends what was salvaged to one uplink.

    try_batch: sends records of a ledger and returns what came of it. receipts: how many valid ones there were.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        uplink: str,
        display: Display,
        randomness: Randomness,
        bucket: TokenBucket,
        backoff: Backoff,
        try_batch: Callable[[Sequence[StoredRecord], bytes], Awaitable[Outcome]],
        receipts: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._uplink = uplink
        self._display = display
        self._randomness = randomness
        self._bucket = bucket
        self._backoff = backoff
        self._try_batch = try_batch
        self._receipts = receipts
        self._refused_at = 0  # how many receipts there were when a batch was refused
        self._singly = 0  # how many to send one by one: there is a poison record among them
        self._trouble = ""  # what people were told last
        self.due_s = 0.0  # when to send the next

    def look_again(self) -> None:
        """Look whether there are any: a person may have asked for some."""
        if self.due_s == math.inf:
            self.due_s = 0.0

    async def send_next(self) -> None:
        """Send the next records of a ledger that was set aside, at most one batch, and settle them."""
        run = await self._ledger.salvaged(
            self._uplink, records_max=1 if self._singly else BATCH_RECORDS_MAX, bytes_max=RECORDS_BYTES_MAX
        )
        if run is None:
            self.due_s, self._singly = math.inf, 0
            return
        if (wait_s := self._bucket.wait_s(_now_s(), len(run.records))) > 0:
            await asyncio.sleep(wait_s)
        outcome = await self._try_batch(run.records, run.ledger_id)
        if isinstance(outcome, PlatformRejected) and not outcome.whole:
            if len(run.records) > 1:
                self._singly, self._refused_at = len(run.records), self._receipts()
                return
            if self._receipts() > self._refused_at:  # the platform itself answers, and only this is refused
                outcome = [(run.records[0].seq, outcome.reason)]
        self._singly = max(0, self._singly - 1)
        if isinstance(outcome, Exception):
            await self._put_off(str(outcome))
        else:
            await self._settle(run, outcome)

    async def _settle(self, run: SalvagedRun, parked: Sequence[tuple[int, str]]) -> None:
        try:
            await self._ledger.settle_salvaged(self._uplink, run, parked)
        except LedgerFull:
            await self._put_off("no space to store that they were delivered")
            return
        self._backoff.succeeded(_now_s())
        self._trouble = ""
        log.info(
            "salvaged records delivered",
            extra={"file": run.source, "from_seq": run.records[0].seq, "to_seq": run.records[-1].seq},
        )
        for seq, reason in parked:
            await self._display.notice("parked", f"the platform rejected record {seq} of {run.source}: {reason}")

    async def _put_off(self, why: str) -> None:
        """Try again later. Live records go on: if the link is down, they find out by themselves."""
        self.due_s = _now_s() + self._backoff.delay_s(_now_s(), self._randomness.uniform())
        log.warning("salvaged records are not delivered yet", extra={"uplink": self._uplink, "why": why})
        if why != self._trouble:
            self._trouble = why
            await self._display.notice("salvaged", f"records of an earlier ledger are not delivered yet: {why}")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
