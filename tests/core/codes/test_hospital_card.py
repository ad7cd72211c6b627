"""A site's own cards: which patterns are taken, which are refused and what is said, and that they are tried last."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes import recognise
from agent.core.codes.hospital_card import (
    FIXED_SHAPES,
    NO_CARDS,
    PATTERNS_MAX,
    PatternInvalid,
    overlapped,
    read_pattern,
    read_patterns,
)
from agent.core.verdict import Outcome
from agent.core.verification import verify
from fakes.ehc_issuer import NOW, scan_of
from fakes.neighbours import samples

EVERYTHING = read_patterns([r"[A-Za-z0-9 _./:-]{4,64}", r"[0-9A-Za-z]{4,64}", r"\{\"urls[ -]?\d{4}"])


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        (r"\d{8}", ["01234567"], ["0123456", "012345678", "0123456x", "０1234567", "01234567\n"]),
        (r"JZ\d{6,10}", ["JZ123456", "JZ1234567890"], ["JZ12345", "JZ12345678901", "jz123456", "ZJ123456"]),
        (r"[A-CX][0-4]{3}-?7", ["A0127", "X012-7"], ["D0127", "A0157", "A012--7"]),
        (r"H\.\?\{1{2}", ["H.?{11"], ["Hx?{11", "H.?{1"]),
        (r"[\dA-F]{4}", ["09AF"], ["09AG"]),
    ],
)
def test_a_pattern_fits_whole_texts_alone(pattern, fits, fits_not):
    cards = read_patterns([pattern])
    assert [text for text in fits if recognise(scan_of(text), cards).family != "hospital-card"] == []
    assert [text for text in fits_not if recognise(scan_of(text), cards).family == "hospital-card"] == []


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "fits texts of 0 to 0"),
        (r"\d{3}", "fits texts of 3 to 3"),
        (r"\d{65}", "65"),
        (r"\d{4,65}", "4 to 65"),
        (r"\d+", r"'\+' is not taken"),
        (r"\d*", "not taken"),
        (r"(\d{4}){2}", "not taken"),
        (r"\d{4}|\d{6}", "not taken"),
        (r"^\d{8}$", r"leave out \^ and"),
        (r".{8}", "not taken"),
        (r"[^A]{8}", "not taken"),
        (r"\w{8}", "not taken"),
        (r"\d{8}\Z", "not taken"),
        (r"[A-z]{8}", "is no range"),
        (r"[9-0]{8}", "is no range"),
        (r"[\d-A]{8}", "is no range"),
        (r"[A-\d]{8}", "is no range"),
        (r"\d{8,4}", "repeats nothing"),
        (r"\d{0}\d{4}", "repeats nothing"),
        (r"\d{,4}", "not taken"),
        (r"\d{2,4}\d{2,4}", "only one part may vary"),
        (r"[A-Z]?\d{4,6}", "only one part may vary"),
        ("卡" * 8, "not taken"),
        ("A" * 129, "at most 128"),
    ],
)
def test_anything_else_is_refused_and_the_message_says_what_can_be_written(pattern, says):
    with pytest.raises(PatternInvalid, match=says):
        read_patterns([pattern])


def test_there_is_a_limit_on_how_many():
    with pytest.raises(PatternInvalid, match="at most 16"):
        read_patterns([r"\d{8}"] * (PATTERNS_MAX + 1))


PARTS = st.sampled_from([*"AZaz09-_: ", r"\d", r"\.", r"\-", r"\]", "[A-Z]", r"[\dA-F]", "[a-z0-9_-]", "[.]", "[A-z]"])
TIMES = st.sampled_from([*[""] * 6, *["{4}"] * 4, "?", "{2,9}", "{1,64}", "{0,7}", "{"])
PATTERNS = st.lists(st.tuples(PARTS, TIMES).map("".join), min_size=1, max_size=5).map("".join)


@given(st.text(alphabet=r"\d[]{},?-.AZaz09^$(|)+* ", max_size=40) | PATTERNS)
def test_a_pattern_is_taken_or_refused_and_means_what_it_means_elsewhere(source):
    try:
        pattern = read_pattern(source)
    except PatternInvalid:
        return
    for length in (pattern.least, pattern.most):
        for pick in (min, max):
            text = "".join(map(pick, pattern.places(length)))
            assert re.fullmatch(source, text, re.ASCII), (source, text)
            assert read_patterns([source]).recognise(text) is not None


def test_without_patterns_nothing_is_a_card():
    assert NO_CARDS.recognise("") is None
    assert recognise(scan_of("12345678")).family == "unknown"


def test_a_card_is_unverifiable_and_the_platform_could_settle_it():
    verdict = verify(recognise(scan_of("JZ123456"), read_patterns([r"JZ\d{6}"])), None, NOW)
    assert (verdict.family, verdict.outcome, verdict.needs_online) == ("hospital-card", Outcome.UNVERIFIABLE, True)
    assert (verdict.claims.text, "123456" in repr(verdict)) == (b"JZ123456", False)


@pytest.mark.parametrize("family", sorted({**samples(), "ehc": "", "national": ""}))
def test_no_pattern_captures_a_code_of_another_family(family):
    text = {**samples(), "ehc": "EHC1:BB8", "national": "AB" * 32}[family]
    assert recognise(scan_of(text), EVERYTHING).family == family
    assert recognise(scan_of("of no family"), EVERYTHING).family == "hospital-card"


@pytest.mark.parametrize(
    ("pattern", "families"),
    [
        (r"\d{8}", set()),
        (r"JZ\d{16}", set()),
        (r"\d{16,20}", {"wechat-pay", "alipay", "unionpay", "resident-id", "drug-trace", "gs1"}),
        (r"01\d{14}", {"gs1"}),  # one card in ten has a product's check digit
        (r"1\d{15}", set()),
        (r"9\d{17}", {"resident-id"}),
        (r"424\d{25}", {"insurance"}),
        (r"[0-9A-F]{64}", {"national"}),
        (r"26\d{14}", {"alipay"}),
    ],
)
def test_what_another_family_takes_first_is_known_beforehand(pattern, families):
    assert {family for _, family in overlapped(read_patterns([pattern]))} == families


def test_the_shapes_of_the_fixed_families_are_their_own():
    for family, text in samples().items():
        if family in FIXED_SHAPES:
            assert read_patterns(FIXED_SHAPES[family]).recognise(text), family


def test_patterns_made_to_take_long_do_not():
    cards = read_patterns([rf"[0-9]{{{n}}}[0-9]{{4,{60 - n}}}[A-F]" for n in range(1, 17)])
    assert cards.recognise("1" * 64) is None
    assert cards.recognise("1" * 8_192) is None
