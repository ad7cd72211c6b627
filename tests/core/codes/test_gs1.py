"""GS1 in its carriers: what it is read as, what is refused, and what stands in clear."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes import recognise
from agent.core.codes.gs1 import FAMILY
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.verdict import Code, Outcome, Verdict
from agent.core.verification import describe, verify
from fakes.ehc_issuer import NOW, scan_of
from fakes.gs1_issuer import GLN, GS, GTIN, OTHER_GTIN, SSCC, with_check_digit

FULL = f"01{GTIN}17281130{'10L26'}{GS}21S0001"  # NOW is 15 January 2027
ITEM = f"(01){GTIN}(21)S0001"


def scanned(text: str, aim: str | None = None) -> Scan:
    return dataclasses.replace(scan_of(text), aim=aim)


def verdict_of(text: str, aim: str | None = None, now: Interval = NOW) -> Verdict:
    return verify(recognise(scanned(text, aim)), None, now)


def at(year: int, month: int, day: int, hour: int = 0) -> Interval:
    from datetime import UTC, datetime

    instant_ms = int(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)
    return Interval(instant_ms, instant_ms)


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        *((FULL, aim) for aim in ("]d2", "]C1", "]Q3", "]e0", "]J1")),
        *((aim + FULL, None) for aim in ("]d2", "]C1", "]Q3", "]e0", "]J1")),
        ("]d2" + FULL, "]d2"),
        (FULL, None),
        (FULL, "]d1"),
        (GS + FULL, None),
        (FULL + GS, None),
        (f"21S0001{GS}10L26{GS}17281130{GS}01{GTIN}", None),
        (f"(01){GTIN}(17)281130(10)L26(21)S0001", None),
        (f"(21)S0001(01){GTIN}", None),
        (f"https://id.gs1.org/01/{GTIN}/10/L26/21/S0001?17=281130", None),
        (f"HTTPS://shop.example:8443/a/01/b/01/{GTIN}/21/%530001/?17=281130&linkType=all#top", None),
    ],
)
def test_one_package_is_one_item_in_every_carrier(text: str, aim: str | None) -> None:
    verdict = verdict_of(text, aim)
    assert (verdict.family, verdict.outcome, verdict.reason) == ("gs1", Outcome.UNVERIFIABLE, "family.no-offline-proof")
    assert (verdict.claims.item, verdict.claims.is_single, verdict.needs_online) == (ITEM, True, False)
    assert verdict.unchecked == ()


@pytest.mark.parametrize(
    ("text", "aim", "item", "is_single"),
    [
        (f"00{SSCC}", None, f"(00){SSCC}", True),
        (f"01{GTIN}", None, f"(01){GTIN}", False),
        (f"01{GTIN}10L26{GS}17281130", None, f"(01){GTIN}(17)281130(10)L26", False),
        (GTIN[1:], "]E0", f"(01){GTIN}", False),
        (with_check_digit("69212345678"), "]E0", f"(01)00{with_check_digit('69212345678')}", False),
        (with_check_digit("9521234"), "]E4", f"(01)000000{with_check_digit('9521234')}", False),
        (GTIN, "]I1", f"(01){GTIN}", False),
        ("]E0" + GTIN[1:], None, f"(01){GTIN}", False),
        (f"414{GLN}254A1", "]C1", f"(414){GLN}(254)A1", False),
        (f"8003{'0' + GLN}S1", "]C1", f"(8003)0{GLN}S1", True),
        (f"8003{'0' + GLN}", "]C1", f"(8003)0{GLN}", False),
        (f"253{GLN}A", "]C1", f"(253){GLN}A", True),
        (f"02{GTIN}3712", "]C1", f"(02){GTIN}(37)12", False),
        (f"8004{'9521234ABC'}", "]C1", "(8004)9521234ABC", True),
        (f"https://e.example/01/{GTIN[1:]}", None, f"(01){GTIN}", False),
    ],
)
def test_the_item_is_the_key_and_what_makes_it_one(text: str, aim: str | None, item: str, is_single: bool) -> None:
    claims = verdict_of(text, aim).claims
    assert (claims.item, claims.is_single) == (item, is_single)


@pytest.mark.parametrize(
    ("text", "aim", "family"),
    [
        (GTIN[1:], None, "unknown"),  # 13 digits alone
        (with_check_digit("9521234"), None, "unknown"),
        (GTIN[1:], "]C0", "unknown"),
        (GTIN, "]E0", "unknown"),  # 14 digits are no EAN-13
        ("81234567890123456789", None, "drug-trace"),
        ("81234567890123456789", "]C0", "drug-trace"),
        ("80041234567890123456", "]C1", "gs1"),  # the carrier decides
        ("80041234567890123456", None, "drug-trace"),
        (SSCC + "00", None, "unknown"),
        ("0112345678901234", None, "unknown"),  # 16 digits of a card: no GTIN behind 01
        ("00123456789012345678", None, "unknown"),
        ("4240123456789012345678901234", None, "insurance"),  # 28 digits of an insurance voucher, also AI 424
        ("6212345678901234567", None, "unionpay"),
        ("280123456789012345", None, "alipay"),
        ("101234567890123456", None, "wechat-pay"),  # 18 digits of a payment, also AI 10
        ("11010519491231002X", None, "resident-id"),
        ("https://hospital.example/00/12", None, "unknown"),
        ("https://hospital.example/gtin/" + GTIN, None, "unknown"),
        ("(not) digits", None, "unknown"),
        (GS, None, "unknown"),
        ("]d2", None, "gs1"),
        ("]Q1" + FULL, None, "unknown"),
    ],
)
def test_digits_of_neighbours_are_told_apart(text: str, aim: str | None, family: str) -> None:
    assert recognise(scanned(text, aim)).family == family


@pytest.mark.parametrize(
    ("text", "reason", "ai"),
    [
        (f"01{GTIN}04ABC", "decode.gs1-unknown-ai", "04"),
        (f"01{GTIN}ABC", "decode.gs1-unknown-ai", "no digits"),
        (f"01{GTIN}٣٤", "decode.gs1-unknown-ai", "no digits"),
        (f"01{GTIN[:-1]}", "decode.gs1-value", "01"),
        (f"01{GTIN[:-1]}{9 - int(GTIN[-1])}", "decode.gs1-check-digit", "01"),
        (f"414{GLN[:-1]}{9 - int(GLN[-1])}", "decode.gs1-check-digit", "414"),
        (f"00{SSCC[:-1]}{9 - int(SSCC[-1])}", "decode.gs1-check-digit", "00"),
        (f"01{GTIN}17281301", "decode.gs1-date", "17"),
        (f"01{GTIN}17280230", "decode.gs1-date", "17"),
        (f"01{GTIN}17270229", "decode.gs1-date", "17"),
        (f"01{GTIN}1728113", "decode.gs1-value", "17"),
        (f"01{GTIN}10{GS}21A", "decode.gs1-value", "10"),
        (f"01{GTIN}10", "decode.gs1-value", "10"),
        (f"01{GTIN}10A{GS}{GS}21B", "decode.gs1-unknown-ai", "no digits"),
        (f"01{GTIN}10A B", "decode.gs1-value", "10"),
        (f"01{GTIN}10A\n", "decode.gs1-value", "10"),
        (f"01{GTIN}10批", "decode.gs1-value", "10"),
        (f"01{GTIN}10{'A' * 21}", "decode.gs1-separator", "10"),
        (f"01{GTIN}4221561", "decode.gs1-separator", "422"),
        (f"01{GTIN}10A{GS}10B", "decode.gs1-repeated", "10"),
        (f"01{GTIN}01{OTHER_GTIN}", "decode.gs1-repeated", "01"),
        (f"01{GTIN}02{GTIN}", "decode.gs1-pair", "02"),
        (f"01{GTIN}21A{GS}235B", "decode.gs1-pair", "235"),
        ("10L26", "decode.gs1-no-key", "01"),
        ("", "decode.gs1-no-key", "01"),
        (f"01{GTIN}" + f"91{'A' * 90}{GS}" * 12, "decode.over-long", "1024"),
    ],
)
def test_what_is_wrong_is_refused_and_named_by_its_identifier(text: str, reason: str, ai: str) -> None:
    traced = []
    verdict = verify(recognise(scanned(text, "]d2")), None, NOW, lambda *saw: traced.append(saw))
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, reason)
    assert ai in traced[-1][1]
    assert GTIN not in str(traced)
    kept = text.encode()[:1024] or None
    assert (verdict.claims.item, verdict.claims.text) == (None, kept), "sealed, so that a person may look into it"


def test_the_same_element_twice_with_the_same_value_is_one() -> None:
    assert verdict_of(f"01{GTIN}21A{GS}01{GTIN}").claims.item == f"(01){GTIN}(21)A"


@pytest.mark.parametrize(
    "text", [f"(01){GTIN}(21)A(B", f"(01){GTIN}(21)A)B", f"(01){GTIN})", f"(01){GTIN}(211)A", "(01)"]
)
def test_brackets_that_read_in_two_ways_are_refused(text: str) -> None:
    assert verdict_of(text).reason in {"decode.gs1-brackets", "decode.gs1-unknown-ai", "decode.gs1-value"}


@pytest.mark.parametrize(
    ("now", "reason", "unchecked"),
    [
        (at(2028, 11, 29), "family.no-offline-proof", ()),
        (at(2028, 11, 30, 9), "family.no-offline-proof", ()),
        (at(2028, 11, 30, 11), "family.no-offline-proof", ("time",)),  # over on the date line's one side
        (at(2028, 12, 1, 12), "family.no-offline-proof", ("time",)),
        (at(2028, 12, 1, 13), "time.item-expired", ()),  # and on the other
        (Interval(at(2028, 1, 1).earliest_ms, None), "family.no-offline-proof", ("time",)),
        (Interval(at(2029, 1, 1).earliest_ms, None), "time.item-expired", ()),
        (Interval(0, None), "family.no-offline-proof", ("time",)),  # a clock in 1970 does not know the century either
    ],
)
def test_what_is_certainly_past_its_expiry_is_refused(now: Interval, reason: str, unchecked: tuple[str, ...]) -> None:
    for text in (f"01{GTIN}17281130", f"01{GTIN}17281100"):
        verdict = verdict_of(text, now=now)
        assert (verdict.reason, verdict.unchecked) == (reason, unchecked)
        assert verdict.claims.item == f"(01){GTIN}(17){text[-6:]}", "the record names what was refused"


@pytest.mark.parametrize(
    ("yy", "now", "date"),
    [
        ("77", at(2027, 1, 1), "2077"),
        ("78", at(2027, 1, 1), "1978"),
        ("00", at(2051, 6, 1), "2100"),
        ("26", Interval(0, None), "2026"),
    ],
)
def test_two_digits_of_a_year_are_within_49_before_and_50_after(yy: str, now: Interval, date: str) -> None:
    claims = verify(Code("gs1", f"01{GTIN}15{yy}0601"), None, now).claims
    assert {f.name: f.value for f in describe("gs1", claims)}["best_before"] == f"{date}-06-01"


def test_people_stay_out_of_the_clear() -> None:
    patient = with_check_digit("95212340000000002")
    verdict = verdict_of(f"8018{patient}{GS}7256INVENTED+PERSON{GS}725019990101", "]d2")
    assert (verdict.outcome, verdict.claims.item) == (Outcome.UNVERIFIABLE, None)
    assert [fact.name for fact in describe("gs1", verdict.claims) if not fact.is_personal] == []
    assert "INVENTED" not in repr(verdict)


def test_a_signature_and_swallowed_separators_are_not_vouched_for() -> None:
    assert verdict_of(f"01{GTIN}21A{GS}8030AbC_-").unchecked == ("signature",)
    assert verdict_of(f"01{GTIN}10L2621S0001").unchecked == ("separators",)
    assert verdict_of(f"01{GTIN}10L2617271130").unchecked == ("separators",)
    assert verdict_of(f"01{GTIN}10L2617271330").unchecked == ()


@given(
    st.text(max_size=60) | st.text("0123456789()]dC1/\x1dABhtps:%", max_size=80),
    st.sampled_from([None, "]d2", "]E0", "]C1"]),
)
def test_any_text_gets_a_verdict(text: str, aim: str | None) -> None:
    FAMILY.recognise(text, scanned("", aim))
    for whole in (
        text,
        f"01{GTIN}10{text}",
        f"https://x.example/01/{GTIN}/10/{text}",
        f"https://x.example/01/{GTIN}?{text}",
    ):
        verdict = verify(Code("gs1", whole), None, NOW)
        assert verdict.outcome in (Outcome.UNVERIFIABLE, Outcome.REFUSED)
        item = verdict.claims.item
        assert item is None or (len(item) <= 64 and item.isascii() and item.isprintable() and " " not in item)
        assert len(verdict.claims.text or b"") <= 1024


@given(st.integers(0, len(FULL) - 1), st.characters(exclude_categories=["Cs"]))
def test_a_changed_key_is_another_package_or_refused(place: int, new: str) -> None:
    changed = FULL[:place] + new + FULL[place + 1 :]
    claims = verify(recognise(scanned(changed, "]d2")), None, NOW).claims
    if changed != FULL and place < 16:
        assert claims.item != ITEM


@given(st.sampled_from(["424", "10", "15", "25", "30", "62", "8", "11"]), st.integers(0, 10**28))
def test_without_a_carrier_or_a_separator_no_digits_of_payments_or_vouchers_are_gs1(prefix: str, number: int) -> None:
    for length in range(8, 29):
        digits = (prefix + f"{number:028}")[:length]
        assert FAMILY.recognise(digits, scanned(digits)) is None
