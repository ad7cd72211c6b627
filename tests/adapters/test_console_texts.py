"""What people read: every reason has a sentence, and what a step does not take is called by its name."""

import re
from pathlib import Path

import pytest

from agent.adapters.console.family_texts import CREDENTIALS, FAMILIES
from agent.adapters.console.texts import has_sentence, sentences, text_for
from agent.core.codes import FAMILIES as KNOWN
from agent.core.codes import recognise
from agent.core.codes.hospital_card import read_patterns
from agent.core.decision import Answer, Decision, History, decide
from agent.core.steps import parse_policy
from agent.core.trust_list import Trust, TrustList
from agent.core.verdict import Outcome, Verdict
from agent.core.verification import verify
from fakes.ehc_issuer import NOW, scan_of
from fakes.neighbours import samples

ROOT = Path(__file__).parents[2]
POLICY = parse_policy(b'format = "scanward-policy-1"\nversion = 1\n[steps.registration]\nverified = ["ehc.any"]\n')
TRUST = Trust(TrustList(1, NOW.earliest_ms // 1000), policy=POLICY, revoked=None, expires_ms=None)
REASON = re.compile(r'"((?:scan|family|decode|key|signature|time|revoked)\.[a-z0-9.-]+)"')


def said(text: str) -> dict[str, str]:
    verdict = verify(recognise(scan_of(text), read_patterns([r"JZ\d{6}"])), TRUST, NOW)
    return text_for(decide(verdict, "registration", TRUST, History(), NOW))


@pytest.mark.parametrize(
    ("family", "zh", "en"),
    [
        ("wechat-pay", "付款码", "a payment code, not a health code"),
        ("alipay", "付款码", "a payment code, not a health code"),
        ("unionpay", "付款码", "a payment code, not a health code"),
        ("insurance", "医保电子凭证", "an insurance e-voucher"),
        ("resident-id", "身份证号", "an identity card number"),
        ("e-prescription", "电子处方", "an e-prescription"),
        ("hospital-card", "就诊卡", "a hospital card"),
        ("covid-code", "防疫健康码已停用", "no longer in use"),
    ],
)
def test_what_was_shown_by_mistake_is_named_and_what_to_show_instead(family, zh, en):
    text = said({**samples(), "hospital-card": "JZ123456"}[family])
    assert zh in text["next_zh"]
    assert en in text["next_en"]
    assert text["next_zh"].endswith("请出示电子健康卡二维码。")
    assert "Please show your health code" in text["next_en"]


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("reason", ["policy.not-verifiable", "policy.code-not-accepted"])
def test_a_family_that_no_step_lists_is_named_whatever_it_proved(family, reason):
    outcome = Outcome.VERIFIED if reason == "policy.code-not-accepted" else Outcome.UNVERIFIABLE
    text = text_for(Decision(Answer.REFUSE, reason, "payment", Verdict(family, outcome, "ok")))
    assert (text["next_zh"], text["next_en"]) == FAMILIES[family]
    assert "dynamic" not in text["en"]


def test_every_family_but_the_health_codes_has_a_name():
    assert {family.name for family in KNOWN} - {"ehc", "national"} <= FAMILIES.keys()


@pytest.mark.parametrize("family", sorted(CREDENTIALS))
def test_nobody_is_told_to_refresh_a_credential_of_paper(family):
    for reason in ("time.expired", "time.future", "revoked.card", "key.unknown-issuer", "key.unknown"):
        text = text_for(Decision(Answer.REFUSE, reason, "payment", Verdict(family, Outcome.REFUSED, reason)))
        assert "credential" in text["next_en"]
        assert "refresh" not in text["next_en"]
        assert "证明" in text["next_zh"]
    none = Verdict(family, Outcome.REFUSED, "key.no-trust-list")
    assert "not ready" in text_for(Decision(Answer.REFUSE, none.reason, "payment", none))["next_en"]


def test_every_reason_a_family_can_give_has_a_sentence():
    sources = (ROOT / "agent" / "core" / "codes").glob("*.py")
    reasons = {reason for source in sources for reason in REASON.findall(source.read_text(encoding="utf-8"))}
    assert len(reasons) >= 30
    assert [reason for reason in sorted(reasons) if not has_sentence(reason)] == []


def test_sentences_are_short_enough_to_be_read_at_a_distance():
    assert [s for s in sentences() if len(s[0]) > 40 or len(s[1]) > 110] == []


def test_a_dynamic_code_that_is_not_for_the_step_is_not_answered_with_show_a_dynamic_code():
    card = "5e" * 32
    assert "动态码" in said(card)["next_zh"]
    text = said(f"{card}:0:{'0a' * 16}")
    assert text["next_en"] == "This dynamic code cannot be used here. Please go to the desk."
    assert "出示动态码" not in text["next_zh"]


@pytest.mark.parametrize(
    ("family", "name"),
    [("drug-trace", "a drug trace code"), ("gs1", "a product code"), ("udi-ma", "a medical device code")],
)
@pytest.mark.parametrize("answer", [Answer.PROVISIONAL, Answer.ASK])
def test_no_network_is_promised_for_what_none_can_prove(family, name, answer):
    verdict = Verdict(family, Outcome.UNVERIFIABLE, "family.no-offline-proof")
    text = text_for(Decision(answer, verdict.reason, "dispensing", verdict))
    assert name in text["next_en"]
    assert "network" not in text["en"]
    assert "网络" not in text["zh"]
