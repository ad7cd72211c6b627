"""The sentence the product reads as: one such task per scanner.

Read first, decide purely, write last. Nothing is shown before the ledger has it; deciding and claiming a one-time code
happen without an await between them.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.core.codes import recognise
from agent.core.codes.hospital_card import NO_CARDS, CardPatterns
from agent.core.decision import Answer, Decision, History, decide, is_worth_asking
from agent.core.scan import Scan
from agent.core.time_interval import SignedTime
from agent.core.transaction import Transaction, draft_decision
from agent.core.trust_list import Trust
from agent.core.verdict import Verdict
from agent.core.verification import verify
from agent.ports import Clock, Display, Errands, Ledger, LedgerFull, LedgerRefused, Scanner, TrustStore
from agent.tasks.online import Online

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
    """What every scanner's checkpoint shares: one history, one ledger, one display.

    online: None where there is nobody to ask. on_passed: told how many ms a scan took until its decision was shown.
    cards: what the site's own cards look like.
    """

    ledger: Ledger
    trust_store: TrustStore
    history: History
    display: Display
    clock: Clock
    online: Online | None = None
    signed_time: SignedTime = field(default_factory=SignedTime)
    errands: Errands = NO_ERRANDS
    on_passed: Callable[[int], None] = lambda _took_ms: None
    cards: CardPatterns = NO_CARDS

    async def watch(self, scanner: Scanner, step: str) -> None:
        """Pass every scan of one scanner, for the life of the agent. Raises LedgerBroken."""
        async for scan in scanner.scans():
            scanner.answered(await self.check(scan, step))
            self.on_passed(self.clock.now().raw_ms - scan.at.raw_ms)

    async def check(self, scan: Scan, step: str) -> Answer:
        """Judge one scan, ask the platform where that settles it, store the decision, show it; return the answer."""
        trust = self.trust_store.current
        step = self.errands.step_for(scan.scanner, step)
        code = recognise(scan, self.cards)
        verdict = verify(code, trust, self.clock.now().now)
        try:
            if self.online and trust and is_worth_asking(verdict, step, trust, self.history, self.clock.now().now):
                verdict = await self.online.ask(scan, verdict, step, trust)
            decision, transaction = await self._decide(scan, verdict, step, trust)
        except LedgerFull:
            log.error("the ledger is full: nothing is accepted until there is space")
            await self.display.notice("ledger-full", "storage is full: nothing can be accepted now")
            return Answer.REFUSE
        await self.errands.decided(scan.scanner, decision, transaction)
        await self.display.show(scan.scanner, decision, transaction)
        return decision.answer

    async def _decide(
        self, scan: Scan, verdict: Verdict, step: str, trust: Trust | None
    ) -> tuple[Decision, Transaction]:
        """Decide and store; return both once it is durable. Raises LedgerFull, LedgerBroken."""
        while True:
            now, signed_ms = self.clock.now().now, self.signed_time.latest_ms
            decision = decide(verdict, step, trust, self.history, now, signed_ms=signed_ms)
            try:
                transaction = await self.ledger.append(draft_decision(scan, decision, trust))
            except LedgerFull:
                self.history.release(decision)
                raise
            except LedgerRefused:
                # The ledger knows this one-time code although the history did not: keep it claimed and decide again.
                self._keep_claim(decision)
                continue
            self.history.stored(decision, transaction.seq)
            return decision, transaction

    def _keep_claim(self, decision: Decision) -> None:
        claim = decision.claim
        if claim is None:
            raise RuntimeError("the ledger refused a record that claims nothing")
        self.history.release(decision)
        self.history.claim(claim)
