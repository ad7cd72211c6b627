"""The sentence the product reads as: one such task per scanner.

Read first, decide purely, write last. Nothing is shown before the ledger has it; deciding and claiming a one-time code
happen without an await between them. A card in several codes is decided once: when whole, or given up.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.core.codes import recognise, shc
from agent.core.codes.hospital_card import NO_CARDS, CardPatterns
from agent.core.codes.parts import Parts, Taken
from agent.core.decision import Answer, Decision, History, decide, is_worth_asking
from agent.core.scan import Scan
from agent.core.time_interval import SignedTime
from agent.core.transaction import Transaction, draft_decision
from agent.core.trust_list import Trust
from agent.core.verdict import Code, Verdict
from agent.core.verification import verify
from agent.ports import Clock, Display, Errands, Ledger, LedgerFull, LedgerRefused, Scanner, TrustStore
from agent.tasks.online import Online

MISSING_NAMED_MAX = 5  # numbers that a patient can keep in mind, and a small screen can show
PARTS_LOOK_S = 5.0  # how often is looked whether a card's missing codes are still waited for

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
    parts: Parts = field(default_factory=Parts)
    cards: CardPatterns = NO_CARDS

    async def watch(self, scanner: Scanner, step: str) -> None:
        """Pass every scan of one scanner, for the life of the agent. Raises LedgerBroken."""
        async for scan in scanner.scans():
            answer = await self.check(scan, step)
            scanner.answered(Answer.ASK if answer is None else answer)  # of a part: something more is wanted
            if answer is not None:
                self.on_passed(self.clock.now().raw_ms - scan.at.raw_ms)

    async def check(self, scan: Scan, step: str) -> Answer | None:
        """Decide for one scan; return the answer, or None for a part of a card whose other codes are still missing."""
        code = recognise(scan, self.cards)
        taken = self.parts.take(scan, step, code.text) if code.family == shc.NAME else None
        if taken is None:
            return await self._pass(scan, code, step)
        await self._give_up(taken.given_up)
        if taken.missing:
            await self.display.notice("parts", _missing(taken))
            return None
        return await self._pass(scan, shc.join(taken.texts), step)

    async def give_up_parts(self) -> None:
        """Record as refused each card whose missing codes do not come, for the agent's life. Raises LedgerBroken."""
        while True:
            await asyncio.sleep(PARTS_LOOK_S)
            await self._give_up(self.parts.overdue(self.clock.now().raw_ms))

    async def _give_up(self, ended: Iterable[tuple[Scan, str]]) -> None:
        """Judge what there is of each card, by itself: it is refused, and the refusal is in the ledger.

        It is not shown, and no request's business: who stands there now may be somebody else, with a scan under way.
        """
        for scan, step in ended:
            trust = self.trust_store.current
            verdict = verify(recognise(scan), trust, self.clock.now().now)
            try:
                await self._decide(scan, verdict, step, trust)
            except LedgerFull:
                await self._tell_full()

    async def _pass(self, scan: Scan, code: Code, step: str) -> Answer:
        """Judge one code, ask the platform where that settles it, store the decision, show it; return the answer."""
        trust = self.trust_store.current
        step = self.errands.step_for(scan.scanner, step)
        verdict = verify(code, trust, self.clock.now().now)
        try:
            if self.online and trust and is_worth_asking(verdict, step, trust, self.history, self.clock.now().now):
                verdict = await self.online.ask(scan, verdict, step, trust)
            decision, transaction = await self._decide(scan, verdict, step, trust)
        except LedgerFull:
            await self._tell_full()
            return Answer.REFUSE
        await self.errands.decided(scan.scanner, decision, transaction)
        await self.display.show(scan.scanner, decision, transaction)
        return decision.answer

    async def _tell_full(self) -> None:
        log.error("the ledger is full: nothing is accepted until there is space")
        await self.display.notice("ledger-full", "storage is full: nothing can be accepted now")

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


def _missing(taken: Taken) -> str:
    """Say which codes of a card are still missing, in Chinese and English; how many, where they are more than fit."""
    if len(taken.missing) > MISSING_NAMED_MAX:
        return (
            f"此卡共 {taken.total} 个码，请继续出示其余 {len(taken.missing)} 个 / "
            f"this card has {taken.total} codes: show the other {len(taken.missing)} too"
        )
    numbers = [str(number) for number in taken.missing]
    return (
        f"此卡共 {taken.total} 个码，请继续出示第 {'、'.join(numbers)} 个 / "
        f"this card has {taken.total} codes: show {', '.join(numbers)} too"
    )
