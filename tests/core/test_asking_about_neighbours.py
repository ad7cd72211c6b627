"""Vouchers, ids, cards and prescriptions: asked about where the policy lists them, and what each answer makes of it."""

import pytest

from agent.core.codes import recognise
from agent.core.codes.hospital_card import read_patterns
from agent.core.decision import Answer, History, decide, is_worth_asking
from agent.core.online import Finding, Verification, draft_attempt, settled, unanswered
from agent.core.steps import is_online_wanted, parse_policy
from agent.core.transaction import draft_decision
from agent.core.trust_list import Trust, TrustList
from agent.core.verdict import Outcome, Verdict
from agent.core.verification import verify
from fakes.ehc_issuer import NOW, scan_of
from fakes.neighbours import samples

TEXTS = {**samples(), "hospital-card": "JZ123456"}
ASKED = ["e-prescription", "hospital-card", "insurance", "resident-id"]
PAYMENTS = ["alipay", "unionpay", "wechat-pay"]
ATTEMPT = bytes(16)


def trust_of(*kinds: str) -> Trust:
    listed = ", ".join(f'"{kind}"' for kind in kinds)
    policy = f'format = "scanward-policy-1"\nversion = 1\n[steps.desk]\nverified = [{listed}]\n'
    return Trust(TrustList(1, NOW.earliest_ms // 1000), parse_policy(policy.encode()), revoked=None, expires_ms=None)


def verdict_of(family: str) -> Verdict:
    return verify(recognise(scan_of(TEXTS[family]), read_patterns([r"JZ\d{6}"])), None, NOW)


def is_asked(family: str, trust: Trust) -> bool:
    return is_worth_asking(verdict_of(family), "desk", trust, History(), NOW)


@pytest.mark.parametrize("family", ASKED)
def test_the_platform_is_asked_where_the_step_lists_the_family_and_nowhere_else(family):
    trust = trust_of(f"{family}.any")
    assert trust.policy is not None
    assert is_online_wanted(trust.policy)
    assert is_asked(family, trust)
    assert not is_asked(family, trust_of("ehc.any", "national.any", *(f"{f}.any" for f in ASKED if f != family)))


@pytest.mark.parametrize("family", PAYMENTS)
def test_nobody_is_ever_asked_about_a_payment_code(family):
    trust = trust_of(f"{family}.any")
    assert trust.policy is not None
    assert not is_online_wanted(trust.policy)
    assert not is_asked(family, trust)
    assert decide(verdict_of(family), "desk", trust, History(), NOW).answer is Answer.REFUSE


@pytest.mark.parametrize("family", ASKED)
@pytest.mark.parametrize(
    ("finding", "reason", "answer", "said"),
    [
        (Finding.GENUINE, "ok", Answer.ACCEPT, "ok"),
        (Finding.NOT_GENUINE, "online.expired", Answer.REFUSE, "online.expired"),
        (Finding.UNDECIDED, "online.not-ours", Answer.REFUSE, "online.not-ours"),
        (None, "online.no-answer", Answer.REFUSE, "online.no-answer"),
    ],
)
def test_a_voucher_counts_by_the_platform_s_word_alone(family, finding, reason, answer, said):
    verdict = verdict_of(family)
    if finding is None:
        verdict = unanswered(verdict, reason)
    else:
        verdict = settled(verdict, ATTEMPT, Verification(finding, reason, NOW.earliest_ms))
    decision = decide(verdict, "desk", trust_of(f"{family}.any"), History(), NOW)
    assert (decision.answer, decision.reason, decision.claim) == (answer, said, None)
    assert verdict.proof == ("online" if finding is Finding.GENUINE else None)
    if finding is Finding.NOT_GENUINE:
        assert verdict.claims.text is None


@pytest.mark.parametrize("family", sorted(TEXTS))
def test_neither_attempt_nor_decision_holds_the_text_outside_its_seal(family):
    verdict, trust = verdict_of(family), trust_of("ehc.any")
    attempt = draft_attempt(scan_of(TEXTS[family]), verdict, "desk", ATTEMPT)
    decision = draft_decision(scan_of(TEXTS[family]), decide(verdict, "desk", trust, History(), NOW), trust)
    for draft in (attempt, decision):
        assert TEXTS[family][4:] not in repr(draft) + repr(draft.body)
    assert (decision.sealed_fields is not None) is (verdict.outcome is Outcome.UNVERIFIABLE)
    assert decision.recipients == ()
