"""Asks the platform about one code, within a budget of the patient's time, and keeps a connection ready for it.

The law: an attempt is durable before the platform is asked, for asking may use the code up; and whatever happens, or
does not, there is a verdict when the budget is over. What it means for the patient is decided behind it, by policy.
"""

import asyncio
import logging
from dataclasses import dataclass

import msgspec

from agent.core.online import (
    ATTEMPT_ID_BYTES,
    CODE_BYTES_MAX,
    NO_ANSWER,
    NOT_BELIEVED,
    Breaker,
    Question,
    VerificationInvalid,
    attempt_id_of,
    draft_attempt,
    read_verification,
    settled,
    unanswered,
)
from agent.core.scan import Scan
from agent.core.steps import is_online_wanted
from agent.core.trust_list import Trust
from agent.core.verdict import Verdict
from agent.ports import (
    Clock,
    Display,
    Ledger,
    OnlineVerifier,
    PlatformRejected,
    PlatformUnreachable,
    Randomness,
    TrustStore,
)

log = logging.getLogger(__name__)

READY_EVERY_S = 20.0  # well below the minute after which proxies close an idle connection
READY_S_MAX = 10.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[online]. budget_s: how long a patient waits for the platform's word about a code, in all; 0: it is not asked."""

    budget_s: float = 1.5

    def __post_init__(self) -> None:
        if self.budget_s != 0 and not 0.1 <= self.budget_s <= 10:
            raise ValueError("budget_s must be 0 (never ask) or lie in [0.1, 10]")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: terminal and site, as the platform knows them."""

    terminal: str
    site: str


class Online:
    """Online verification for all scanners: each waits for its own answers alone."""

    def __init__(
        self,
        *,
        verifier: OnlineVerifier,
        ledger: Ledger,
        trust_store: TrustStore,
        display: Display,
        clock: Clock,
        randomness: Randomness,
        asker: Asker,
        settings: Settings,
    ) -> None:
        self._verifier = verifier
        self._ledger = ledger
        self._trust_store = trust_store
        self._display = display
        self._clock = clock
        self._randomness = randomness
        self._asker = asker
        self._settings = settings
        self._breaker = Breaker()

    async def ask(self, scan: Scan, verdict: Verdict, step: str, trust: Trust) -> Verdict:
        """Return what the platform's word makes of an unverifiable code. Raises LedgerFull, LedgerBroken."""
        if len(scan.data) > CODE_BYTES_MAX:
            return verdict
        if not self._breaker.may_ask(self._now_s()):
            return unanswered(verdict, NO_ANSWER)
        end_s = self._now_s() + self._settings.budget_s
        attempt_id = self._attempt_id(verdict)
        await self._ledger.append(draft_attempt(scan, verdict, step, attempt_id))
        question = Question(
            attempt_id,
            self._asker.terminal,
            self._asker.site,
            step,
            verdict.family,
            scan.data,
            self._clock.now().now.earliest_ms,
        )
        try:
            answer = await self._answer_by(end_s, question)
            verification = read_verification(answer, attempt_id, question.terminal, trust, self._clock.now().now)
        except (PlatformUnreachable, PlatformRejected) as error:
            log.warning("no answer about a code: %s", error)
            await self._failed("the platform does not say whether codes are genuine")
            return unanswered(verdict, NO_ANSWER, attempt_id)
        except VerificationInvalid as error:
            log.error("an answer about a code was not believed: %s", error)
            await self._display.notice("online", f"an answer about a code is not believed and was ignored: {error}")
            await self._failed("the platform's answers about codes are not believed")
            return unanswered(verdict, NOT_BELIEVED, attempt_id)
        if self._breaker.succeeded():
            await self._display.notice("online", "the platform answers about codes again")
        return settled(verdict, attempt_id, verification)

    async def keep_ready(self) -> None:
        """Hold a connection open for ever, while the policy wants any code asked about."""
        while True:
            trust = self._trust_store.current
            if trust is not None and trust.policy is not None and is_online_wanted(trust.policy):
                try:
                    async with asyncio.timeout(READY_S_MAX):
                        await self._verifier.make_ready()
                except (TimeoutError, PlatformUnreachable) as error:
                    log.debug("no connection is held ready: %s", error)  # asking says so where it matters
            await asyncio.sleep(READY_EVERY_S)

    def _attempt_id(self, verdict: Verdict) -> bytes:
        once = verdict.claims.replay_id
        if once is None:
            return self._randomness.bytes(ATTEMPT_ID_BYTES)
        return attempt_id_of(self._asker.terminal, once)

    async def _answer_by(self, end_s: float, question: Question) -> bytes:
        try:
            async with asyncio.timeout_at(end_s):
                return await self._verifier.verify(question, budget_s=max(0.001, end_s - self._now_s()))
        except TimeoutError as error:
            raise PlatformUnreachable("not within the budget") from error

    async def _failed(self, why: str) -> None:
        if self._breaker.failed(self._now_s()):
            await self._display.notice("online", f"{why}: it is asked again later, and policy decides without it")

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
