"""Ledger after ledger: where the platform has overtaken this one, a new one is begun, and delivery starts again in it.

The law: scans are read and decided throughout; whoever appends meanwhile waits for the new ledger, as for an fsync. A
platform that overtakes again and again is not followed further: records stay here, and people are told.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from agent.core.decision import History
from agent.ports import Display, Ledger, LedgerOvertaken, LedgerUnusable
from agent.tasks.delivery import Delivery

log = logging.getLogger(__name__)

NEW_LEDGERS_MAX = 3  # within the window: one image is restored once; more is a platform that is not well
NEW_LEDGERS_WINDOW_S = 3_600.0
ASK_AGAIN_S = 60.0  # how often the platform is asked, and people are told, where no new ledger may be begun


class Succession:
    """Delivers for the life of the agent. new_delivery: makes the delivery of whichever ledger there is now."""

    def __init__(
        self, *, ledger: Ledger, history: History, display: Display, new_delivery: Callable[[], Delivery]
    ) -> None:
        self._ledger = ledger
        self._history = history
        self._display = display
        self._new_delivery = new_delivery
        self._begun_at_s = deque[float](maxlen=NEW_LEDGERS_MAX)
        self.delivery = new_delivery()

    def greet_soon(self) -> None:
        """Say hello soon, in whichever ledger there is now (delivery.py)."""
        self.delivery.greet_soon()

    async def run(self) -> None:
        """Deliver for ever. Raises LedgerBroken."""
        while True:
            try:
                await self.delivery.run()
            except LedgerOvertaken as overtaken:
                if not await self._begin_anew(overtaken):
                    await asyncio.sleep(ASK_AGAIN_S)
            self.delivery = self._new_delivery()

    async def _begin_anew(self, overtaken: LedgerOvertaken) -> bool:
        """Begin a new ledger, unless that has happened too often; say which."""
        if not self._may_begin():
            await self._tell_stopped(f"{NEW_LEDGERS_MAX} new ledgers were begun within an hour")
            return False
        old = self._ledger.ledger_id
        try:
            await self._ledger.begin_anew(overtaken)
        except LedgerUnusable as error:
            await self._tell_stopped(str(error))
            return False
        self._history.begin_ledger()
        self._begun_at_s.append(self._now_s())
        new = self._ledger.ledger_id
        text = (
            f"the platform's history of ledger {old.hex()} up to record {overtaken.seq} is not this terminal's: one "
            f"of the two was restored from an old image. It was set aside, and ledger {new.hex()} was begun"
        )
        log.error("a new ledger was begun", extra={"follows": old.hex(), "platform_seq": overtaken.seq})
        await self._display.notice("ledger", text)
        return True

    def _may_begin(self) -> bool:
        is_free = len(self._begun_at_s) < NEW_LEDGERS_MAX
        return is_free or self._now_s() - self._begun_at_s[0] >= NEW_LEDGERS_WINDOW_S

    async def _tell_stopped(self, why: str) -> None:
        log.error("nothing is delivered: the platform overtakes this ledger", extra={"why": why})
        await self._display.notice(
            "ledger", f"nothing is delivered: the platform's history of this ledger is another, and {why}"
        )

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
