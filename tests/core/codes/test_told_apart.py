"""All that is digits, and what else a patient holds up by mistake: exactly one family each, whatever the order."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes import FAMILIES, recognise
from agent.core.codes.gs1_symbol import GS1_AIMS
from agent.core.codes.hospital_card import read_patterns
from agent.core.codes.insurance import is_voucher
from agent.core.codes.payments import is_payment
from agent.core.scan import Scan
from agent.core.steps import ONLINE_FAMILIES
from agent.core.verdict import Code, Outcome
from agent.core.verification import is_bearer, verify
from fakes.ehc_issuer import NOW, scan_of
from fakes.neighbours import COVID_CODE, digits, resident_id, samples

CARDS = read_patterns([r"JZ\d{6}"])
BEARERS = {"wechat-pay", "alipay", "unionpay", "insurance", "resident-id", "e-prescription"}
PREFIXES = [f"{n:02}" for n in range(100)] + ["424"]
SECRET = ["424", "62", *(f"{n}" for n in (*range(10, 16), *range(25, 31)))]  # what may be a voucher or a payment
LIKE_A_PAYMENT = next(i for i in (resident_id(str(n), region="119999") for n in range(99)) if i.isdigit())


def family_of(text: str, aim: str | None = None) -> str:
    scan = scan_of(text)
    return recognise(Scan(scan.data, scan.scanner, scan.at, aim=aim), CARDS).family


@pytest.mark.parametrize(
    ("head", "count", "family"),
    [
        ("09", 18, None),
        *((str(n), 18, "wechat-pay") for n in range(10, 16)),
        ("16", 18, None),
        ("10", 17, None),
        ("10", 19, None),
        ("24", 18, None),
        *((str(n), count, "alipay") for n in range(25, 31) for count in (16, 18, 24)),
        ("31", 18, None),
        ("28", 15, None),
        ("28", 25, None),
        ("62", 19, "unionpay"),
        ("62", 18, None),
        ("62", 20, None),
        ("424", 28, "insurance"),
        ("424", 27, None),
        ("424", 29, None),
        ("423", 28, None),
    ],
)
def test_prefix_and_length_decide_what_digits_are(head, count, family):
    text = head + "9" * (count - len(head))  # 9999 is no month
    assert (family_of(text) in BEARERS) is (family is not None)
    if family is not None:
        assert family_of(text) == family
        assert {family_of(text, aim) for aim in ("]Q1", "]C0", "]d1")} == {family}
        assert {family_of(text, aim) for aim in GS1_AIMS} & BEARERS == set()


@pytest.mark.parametrize("family", sorted(samples()))
def test_each_sample_is_of_its_own_family_alone(family):
    text = samples()[family]
    scan = scan_of(text)
    assert [f.name for f in FAMILIES if f.recognise(text, scan) is not None] == [family]


@given(st.sampled_from(PREFIXES), st.integers(14, 30), st.integers(0, 10**30))
def test_no_text_of_digits_is_claimed_by_two_families_so_no_order_can_be_wrong(head, count, number):
    text = (head + f"{number:030}")[:count]
    scan = scan_of(text)
    assert len([f.name for f in FAMILIES if f.recognise(text, scan) is not None]) <= 1


@given(
    st.sampled_from(PREFIXES) | st.sampled_from(SECRET),
    st.sampled_from([16, 18, 19, 20, 24, 28]),
    st.integers(0, 10**30),
    st.booleans(),
)
def test_what_may_be_a_secret_never_lands_in_a_family_whose_text_is_shown(head, count, number, has_date):
    text = (head + f"{number:030}")[:count]
    text = text[:6] + "19800229" + text[14:] if has_date else text
    if is_payment(text) or is_voucher(text):
        assert is_bearer(family_of(text))
    if count == 18 and head in {"10", "11", "12", "13", "14", "15"}:
        assert is_bearer(family_of(text)), "as an id or as a payment code"


def test_digits_that_are_an_id_are_no_payment_code_and_as_secret():
    assert family_of(LIKE_A_PAYMENT) == "resident-id"
    assert not is_payment(LIKE_A_PAYMENT)
    wrong = LIKE_A_PAYMENT[:-1] + str((int(LIKE_A_PAYMENT[-1]) + 1) % 10)
    assert family_of(wrong) == "wechat-pay"


def test_few_payment_codes_look_like_an_id():
    codes = [f"13{digits(f'draw {n}', 16)}" for n in range(20_000)]
    assert sum(family_of(code) == "resident-id" for code in codes) <= 10


@pytest.mark.parametrize(
    "change", [str.strip, lambda t: f" {t}", lambda t: f"{t}\n", lambda t: t.translate(FULL_WIDTH)]
)
@pytest.mark.parametrize("family", ["wechat-pay", "alipay", "unionpay", "insurance", "resident-id"])
def test_nothing_is_stripped_and_only_ascii_digits_are_digits(family, change):
    text = samples()[family]
    assert family_of(change(text)) == (family if change(text) == text else "unknown")


FULL_WIDTH = {ord("0") + n: 0xFF10 + n for n in range(10)}


@pytest.mark.parametrize("family", sorted({*samples(), "hospital-card"}))
def test_who_is_asked_about_is_as_the_policy_knows_it(family):
    text = {**samples(), "hospital-card": "JZ123456"}[family]
    verdict = verify(recognise(scan_of(text), CARDS), None, NOW)
    assert verdict.family == family
    assert verdict.needs_online is (family in ONLINE_FAMILIES)
    assert verdict.outcome is (Outcome.REFUSED if family == "covid-code" else Outcome.UNVERIFIABLE)
    assert verdict.claims.replay_id is None
    assert verdict.claims.item is None
    assert is_bearer(family) is (family in BEARERS)


def test_every_family_that_is_asked_about_exists():
    assert {f.name for f in FAMILIES} >= ONLINE_FAMILIES


@pytest.mark.parametrize(
    ("text", "family"),
    [
        (COVID_CODE, "covid-code"),
        (COVID_CODE.swapcase(), "covid-code"),
        ("https://healthcode.dingtalk.com/healthAct", "covid-code"),
        ("http://xc.caict.ac.cn/#/login", "covid-code"),
        ("https://xc.caict.ac.cn", "covid-code"),
        ("https://xc.caict.ac.cn.evil.example/", "unknown"),
        ("https://xc.caict.ac.cn@evil.example/", "unknown"),
        ("https://evil.example/xc.caict.ac.cn/", "unknown"),
        ("https://h5.dingtalk.com/healthActor", "unknown"),
        ("https://h5.dingtalk.com/", "unknown"),
    ],
)
def test_codes_of_the_epidemic_are_obsolete_and_nothing_of_them_is_kept(text, family):
    verdict = verify(recognise(scan_of(text)), None, NOW)
    assert verdict.family == family
    if family == "covid-code":
        assert (verdict.outcome, verdict.reason, verdict.claims.text) == (Outcome.REFUSED, "family.obsolete", None)


@given(st.sampled_from(sorted({*samples(), "hospital-card"})), st.text(st.characters(), max_size=60))
def test_no_text_makes_a_family_raise(family, text):
    assert verify(Code(family, text), None, NOW).outcome is not Outcome.VERIFIED


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(sorted(samples()), 2)))
def test_two_codes_read_as_one_are_neither(one, other):
    assert family_of(samples()[one] + samples()[other]) not in BEARERS - {"e-prescription"}


@pytest.mark.parametrize("ai", ["10", "17", "21", "30", "91"])
def test_a_card_that_begins_like_a_product_s_number_is_still_a_card(ai):
    card = f"01{digits('card', 14)}{ai}".ljust(64, "c")
    for text in (card, card.upper(), f"{card}:1", f"{card}:0:{'5e' * 16}"):
        assert family_of(text) == "national"
        assert {family_of(text, aim) for aim in GS1_AIMS} == {"gs1"}
