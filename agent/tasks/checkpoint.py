"""The sentence the product reads as: one such task per scanner.

Read first, decide purely, write last. Nothing is shown before the ledger has it; deciding and claiming a one-time code
happen without an await between them.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from agent.core.codes import recognise
from agent.core.decision import Decision, History, decide
from agent.core.scan import Scan
from agent.core.transaction import Transaction, draft_decision
from agent.core.verification import verify
from agent.ports import Clock, Display, Errands, Ledger, LedgerFull, LedgerRefused, Scanner, TrustStore

log = logging.getLogger(__name__)


class NoErrands:
    """Every scan is for its scanner's own step (ports.Errands)."""

    def step_for(self, scanner: str, step: str) -> str:
        """Return `step`."""
        return step

    async def decided(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Do nothing."""


NO_ERRANDS = NoErrands()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What every scanner's checkpoint shares. on_passed: told how many ms a scan took until its decision was shown."""

    ledger: Ledger
    trust_store: TrustStore
    history: History
    display: Display
    clock: Clock
    errands: Errands = NO_ERRANDS
    on_passed: Callable[[int], None] = lambda _took_ms: None

    async def watch(self, scanner: Scanner, step: str) -> None:
        """Pass every scan of one scanner, for the life of the agent. Raises LedgerBroken."""
        async for scan in scanner.scans():
            await self.check(scan, step)
            self.on_passed(self.clock.now().raw_ms - scan.at.raw_ms)

    async def check(self, scan: Scan, step: str) -> None:
        """Judge one scan, store the decision, then show it."""
        trust = self.trust_store.current
        step = self.errands.step_for(scan.scanner, step)
        code = recognise(scan)
        verdict = verify(code, trust, self.clock.now().now)
        while True:
            decision = decide(verdict, step, trust, self.history, self.clock.now().now)
            try:
                transaction = await self.ledger.append(draft_decision(scan, decision, trust))
            except LedgerFull:
                self.history.release(decision)
                log.error("the ledger is full: nothing is accepted until there is space")
                await self.display.notice("ledger-full", "storage is full: nothing can be accepted now")
                return
            except LedgerRefused:
                # The ledger knows this one-time code although the history did not: keep it claimed and decide again.
                self._keep_claim(decision)
                continue
            break
        self.history.stored(decision, transaction.seq)
        await self.errands.decided(scan.scanner, decision, transaction)
        await self.display.show(scan.scanner, decision, transaction)

    def _keep_claim(self, decision: Decision) -> None:
        claim = decision.claim
        if claim is None:
            raise RuntimeError("the ledger refused a record that claims nothing")
        self.history.release(decision)
        self.history.claim(claim)
