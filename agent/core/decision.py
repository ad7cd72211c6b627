"""What policy makes of a verdict for a step: accept, accept provisionally, ask a person, refuse.

The law: no policy, no acceptance; a one-time code is claimed in the same breath as it is accepted, with no await
between, so two scanners cannot both accept it. Reasons are stable words; texts for people live in the console.
"""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from msgspec.structs import replace

from agent.core.codes.replay import item_replay_id
from agent.core.steps import Policy, Step
from agent.core.time_interval import Interval
from agent.core.trust_list import Freshness, Trust
from agent.core.verdict import Claims, CodeType, Outcome, Verdict

REPLAY_GRACE_MS = 15_000  # the skew grace of trust-and-time.md: until then an expired code might still be accepted
CLAIMS_MAX = 100_000  # one-time codes remembered at once: about 15 MB; nobody scans that many in their life of a minute
ITEM_CLAIMS_MAX = 90_000  # no package is claimed beyond: the other places are for the codes of patients
REPLAY_KEEP_UNDATED_MS = 30 * 86_400_000  # opaque tokens say nothing of their life; packages live for years


class Answer(IntEnum):
    """record.cddl, answer."""

    ACCEPT = 0
    PROVISIONAL = 1
    ASK = 2
    REFUSE = 3


@dataclass(frozen=True, slots=True)
class ReplayClaim:
    """A one-time code used up here: 16-byte replay id, kept until certainly after keep_until_ms."""

    replay_id: bytes
    keep_until_ms: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision for one scan. reason: "ok" or the stage-prefixed reason of the first thing in the way.

    claim: the one-time code this decision used up. is_provisional: it counts against the offline limits, also where a
    person is asked before it takes effect.
    """

    answer: Answer
    reason: str
    step: str
    verdict: Verdict
    claim: ReplayClaim | None = None
    is_provisional: bool = False


class History:
    """What this terminal has already used up and may not do again; rebuilt from the ledger at start.

    Holds replay ids until they cannot be accepted any more, and which provisional acceptances the platform has not
    acknowledged.
    """

    def __init__(self, claims: dict[bytes, int] | None = None, provisional: list[int] | None = None) -> None:
        self._keep_until_ms = dict(claims or {})
        self._provisional = deque(sorted(provisional or []))
        self._provisional_open = 0  # decided, not yet numbered by the ledger

    def has(self, replay_id: bytes) -> bool:
        """Say whether the one-time code was used here."""
        return replay_id in self._keep_until_ms

    @property
    def is_full(self) -> bool:
        """Say whether no further one-time code can be remembered."""
        return len(self._keep_until_ms) >= CLAIMS_MAX

    @property
    def is_full_of_items(self) -> bool:
        """Say whether no further package can be remembered."""
        return len(self._keep_until_ms) >= ITEM_CLAIMS_MAX

    def claim(self, claim: ReplayClaim) -> None:
        """Use a one-time code up."""
        self._keep_until_ms[claim.replay_id] = claim.keep_until_ms

    def open_provisional(self) -> None:
        """Count a provisional acceptance that is about to be stored."""
        self._provisional_open += 1

    def stored(self, decision: Decision, seq: int) -> None:
        """Take note that the ledger has the decision."""
        if decision.is_provisional:
            self._provisional_open -= 1
            self._provisional.append(seq)

    def release(self, decision: Decision) -> None:
        """Undo a decision that definitely was not stored."""
        if decision.claim is not None:
            self._keep_until_ms.pop(decision.claim.replay_id, None)
        if decision.is_provisional:
            self._provisional_open -= 1

    def settled(self, seq: int) -> None:
        """Forget provisional acceptances the platform has acknowledged, up to and with `seq`."""
        while self._provisional and self._provisional[0] <= seq:
            self._provisional.popleft()

    def begin_ledger(self) -> None:
        """Take note that a new ledger numbers from 1: what the last one has counts until the new one first settles."""
        self._provisional = deque(0 for _ in self._provisional)

    def prune(self, now: Interval) -> None:
        """Forget one-time codes that are expired beyond doubt."""
        gone = [r for r, until in self._keep_until_ms.items() if now.is_certainly_after(until)]
        for replay_id in gone:
            del self._keep_until_ms[replay_id]

    @property
    def provisional_unsettled(self) -> int:
        """How many provisional acceptances the platform has not acknowledged."""
        return len(self._provisional) + self._provisional_open


def is_worth_asking(verdict: Verdict, step: str, trust: Trust | None, history: History, now: Interval) -> bool:
    """Say whether the platform's word would get this code accepted: never for what is refused whatever it says.

    Asking may use a one-time code up. Only a step that lists the kind as `verified` wants it asked about.
    """
    once = _once(verdict.claims, step)
    if not verdict.needs_online or (once is not None and (history.has(once) or history.is_full)):
        return False
    answer, _ = _judge(replace(verdict, outcome=Outcome.VERIFIED), step, trust, now)
    if answer is Answer.PROVISIONAL:
        return trust is not None and not _is_offline_limit_reached(history, trust.policy)
    return answer is not Answer.REFUSE


def decide(
    verdict: Verdict, step: str, trust: Trust | None, history: History, now: Interval, *, signed_ms: int = 0
) -> Decision:
    """Decide for one scan, and claim its one-time code in `history` where it is used up.

    signed_ms: the latest instant that somebody with a key has vouched for; 0 where nobody has.
    The caller stores the decision next; where that definitely failed it calls `history.release`.
    """
    answer, reason = _judge(verdict, step, trust, now)
    claims = verdict.claims
    claim = None
    once = _once(claims, step)
    if (answer is not Answer.REFUSE or reason == "policy.not-verifiable") and once is not None:
        if history.has(once):
            answer, reason = Answer.REFUSE, "replay.item" if _is_item(claims) else "replay.used"
        elif answer is not Answer.REFUSE and (history.is_full_of_items if _is_item(claims) else history.is_full):
            answer, reason = Answer.REFUSE, "policy.offline-limit"
        elif answer is not Answer.REFUSE:
            claim = ReplayClaim(once, _keep_until_ms(claims, trust, now, signed_ms))
    if answer is Answer.PROVISIONAL and (trust is None or _is_offline_limit_reached(history, trust.policy)):
        answer, reason, claim = Answer.REFUSE, "policy.offline-limit", None
    is_provisional = answer is Answer.PROVISIONAL
    if is_provisional:
        history.open_provisional()
    if claim is not None:
        history.claim(claim)
    if trust is not None and trust.policy is not None and answer is not Answer.REFUSE:
        answer, reason = _confirm(trust.policy.steps[step], answer, reason)
    return Decision(answer, reason, step, verdict, claim, is_provisional)


def _once(claims: Claims, step: str) -> bytes | None:
    """Return what this step may take once: a one-time code, or a package that there is one of in the world."""
    if _is_item(claims) and claims.item is not None:
        return item_replay_id(step, claims.item)
    return claims.replay_id


def _is_item(claims: Claims) -> bool:
    return claims.is_single and claims.item is not None


def _judge(verdict: Verdict, step_name: str, trust: Trust | None, now: Interval) -> tuple[Answer, str]:
    """Apply the policy, leaving replay, counts and people's yes aside."""
    if verdict.outcome is Outcome.REFUSED:
        return Answer.REFUSE, verdict.reason
    policy: Policy | None = trust.policy if trust else None
    if trust is None or policy is None or not policy.steps:
        return Answer.REFUSE, "policy.none"
    step = policy.steps.get(step_name)
    if step is None:
        return Answer.REFUSE, "policy.step-unknown"
    if verdict.outcome is Outcome.VERIFIED:
        answer, reason = _accept(verdict, step.verified)
    else:
        answer, reason = _accept(verdict, step.provisional)
        if answer is Answer.ACCEPT:
            answer, reason = Answer.PROVISIONAL, verdict.reason
    if answer is Answer.REFUSE:
        return answer, reason
    if not step.checked.isdisjoint(verdict.unchecked) or ("online" in step.checked and _is_unsettled(verdict)):
        return Answer.REFUSE, "policy.unchecked"
    match trust.freshness(now):
        case Freshness.ONLINE_ONLY:
            return Answer.REFUSE, "policy.trust-list-too-old"
        case Freshness.PROVISIONAL:
            answer, reason = Answer.PROVISIONAL, "policy.trust-list-old"
        case Freshness.FRESH | Freshness.WARN:
            pass
    if "time" in verdict.unchecked and answer is Answer.ACCEPT:
        answer, reason = Answer.PROVISIONAL, "policy.time-uncertain"
    return answer, reason


def _is_unsettled(verdict: Verdict) -> bool:
    """Say whether the platform's word is missing, be it that nobody asked: a site that asks nobody loosens nothing."""
    return verdict.outcome is Outcome.UNVERIFIABLE and verdict.needs_online


def _accept(verdict: Verdict, kinds: frozenset[str]) -> tuple[Answer, str]:
    type_ = verdict.claims.type
    family = verdict.family
    if f"{family}.any" in kinds or (type_ is not None and f"{family}.{type_.name.lower()}" in kinds):
        return Answer.ACCEPT, "ok"
    if "online" in verdict.unchecked:
        return Answer.REFUSE, verdict.reason  # the platform would have settled it: that it did not is in the way
    if type_ is CodeType.STATIC and f"{family}.dynamic" in kinds:
        return Answer.REFUSE, "policy.dynamic-required"
    if verdict.outcome is Outcome.UNVERIFIABLE:
        return Answer.REFUSE, "policy.not-verifiable"
    return Answer.REFUSE, "policy.code-not-accepted"


def _confirm(step: Step, answer: Answer, reason: str) -> tuple[Answer, str]:
    """Ask the person whose yes the step needs; a provisional acceptance stays visible as such in the reason."""
    if step.confirm is None:
        return answer, reason
    return Answer.ASK, f"confirm.{step.confirm}" if answer is Answer.ACCEPT else reason


def _is_offline_limit_reached(history: History, policy: Policy | None) -> bool:
    return policy is None or history.provisional_unsettled >= policy.offline.provisional_unsettled_max


def _keep_until_ms(claims: Claims, trust: Trust | None, now: Interval, signed_ms: int) -> int:
    """Return how long a code used now is kept. One without a date counts from signed time where the clock is behind.

    A package is kept as long as one without a date, or to its expiry if that is sooner: the platform keeps it for ever.
    """
    dated_ms = None if claims.expires_at_s is None else claims.expires_at_s * 1000 + REPLAY_GRACE_MS
    if dated_ms is not None and not _is_item(claims):
        return dated_ms
    issued_ms = trust.trust_list.issued_at_s * 1000 if trust is not None else 0
    undated_ms = max(now.latest_ms or now.earliest_ms, issued_ms, signed_ms) + REPLAY_KEEP_UNDATED_MS
    return undated_ms if dated_ms is None else min(dated_ms, undated_ms)
