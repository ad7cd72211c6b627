"""The table of application identifiers, held against biip, which somebody else wrote. Each disagreement is named."""

from collections.abc import Callable

import pytest
from biip import ParseError
from biip.gs1_application_identifiers import _GS1_APPLICATION_IDENTIFIERS as BIIP
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.codes.family import Refused
from agent.core.codes.gs1 import parse
from agent.core.codes.gs1_identifiers import FORMATS, PREDEFINED, identifier_at, is_checked, require_value
from fakes.gs1_issuer import GLN, GMN, GTIN, IBAN, SSCC, strung, value_for

FIXED = frozenset(ai for ai, known in BIIP.items() if not known.separator_required)

# What biip takes and we refuse, by what we look at and it does not. It reports wrong check digits beside the value for
# GTIN, GLN and SSCC (our tests ask for that), and for all others does not look.
STRICTER = {
    "decode.gs1-check-digit": {
        "00", "01", "02", "03", "253", "255", "402", "8003", "8006", "8007", "8013", "8014", "8017", "8018", "8026",
        *(f"41{n}" for n in range(8)),
    },
    # 0000 as a year, day 00 of a birthday, times past 23:59, dates in fields it takes for digits
    "decode.gs1-date": {"4324", "4325", "4326", "7003", "7006", "7007", "7011", "7250", "7251", "8008"},
    # no company prefix in front; nothing at all (30, 7004); a lone percent sign; values from short lists
    "decode.gs1-value": {
        "30", "7004", "401", "7023", "8004", "8010", "8013", "8014", "4300", "4301", "4302", "4303", "4304", "4305",
        "4306", "4307", "4309", "4310", "4311", "4312", "4313", "4314", "4315", "4316", "4317", "4320", "7040", "7252",
        "7253", "7254", "7256", "7257", "7258", "7259", "8001", "8007", "8011",
    },
    # its pattern counts a percent-encoded byte pair as one character; the standard counts what the symbol holds
    "decode.gs1-separator": {
        "4300", "4301", "4302", "4303", "4304", "4305", "4306", "4310", "4311", "4312", "4313", "4314", "4315", "4316",
        "4320", "7253", "7254", "7255", "7256", "7257", "7259",
    },
}  # fmt: skip


def refusal_of(call: Callable[..., object], *arguments: object) -> Refused | None:
    try:
        call(*arguments)
    except Refused as refused:
        return refused
    return None


def test_every_identifier_that_biip_knows_is_known_and_no_other() -> None:
    assert FORMATS.keys() == BIIP.keys()
    assert len(FORMATS) == 541


def test_separators_are_needed_where_biip_says_so() -> None:
    assert {ai for ai in FORMATS if ai[:2] in PREDEFINED} == FIXED


@pytest.mark.parametrize("ai", sorted(BIIP))
def test_a_value_of_every_identifier_reads_as_in_biip(ai: str) -> None:
    value = value_for(ai, BIIP[ai].format)
    theirs = GS1ElementString.parse(ai + value)
    assert (theirs.gtin_error, theirs.gln_error, theirs.sscc_error) == (None, None, None)
    assert parse(ai + value) == ((theirs.ai.ai, theirs.value),)


@settings(max_examples=1500)
@given(st.sampled_from(sorted(BIIP)), st.data())
def test_what_biip_takes_and_we_refuse_is_explained(ai: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(BIIP[ai].pattern, fullmatch=True).filter(lambda text: not text.endswith("\n")))
    value = text[len(ai) :]
    try:
        theirs: GS1ElementString | None = GS1ElementString.parse(text)
    except ParseError:
        theirs = None
    refused = refusal_of(require_value, ai, value)
    if refused is None:  # 9999 as no time of day, and the second day of a harvest, are wrong times of day to biip
        assert theirs is not None or ai in {"4324", "4325", "7007"}, ai
        return
    assert len(value) < 4 or value not in refused.detail
    if theirs is None or theirs.gtin_error or theirs.gln_error or theirs.sscc_error or not value.isascii():
        return  # its digits are those of every script
    assert ai in STRICTER.get(refused.reason, set()), (ai, refused.reason, refused.detail)


def test_a_harvest_of_several_days_is_two_dates() -> None:
    assert parse("7007281101281130") == (("7007", "281101281130"),)
    with pytest.raises(ParseError):  # biip takes the second for a time of day
        GS1ElementString.parse("7007281101281130")


SAMPLES = {
    ai: value_for(ai, BIIP[ai].format)
    for ai in (
        "00", "01", "02", "10", "11", "15", "17", "20", "21", "22", "240", "250", "30", "3103", "37", "400", "410",
        "414", "422", "710", "7003", "7040", "8004", "8008", "8200", "90", "91", "99",
    )
}  # fmt: skip


@settings(max_examples=400)
@given(st.permutations(sorted(SAMPLES)), st.integers(1, 12))
def test_a_string_of_elements_comes_back_element_by_element_here_and_in_biip(order: list[str], count: int) -> None:
    elements = tuple((ai, SAMPLES[ai]) for ai in order[:count])
    text = strung(*elements, predefined=FIXED)
    assert parse(text) == elements
    assert tuple((e.ai.ai, e.value) for e in GS1Message.parse(text).element_strings) == elements
    assert parse("".join(f"({ai}){value}" for ai, value in elements)) == elements


def test_biip_reads_on_where_a_separator_is_missing_and_we_do_not() -> None:
    text = "10" + "A" * 20 + "21" + "B" * 20
    assert len(GS1Message.parse(text).element_strings) == 2
    with pytest.raises(Refused) as refused:
        parse(text)
    assert (refused.value.reason, "AI 10" in refused.value.detail) == ("decode.gs1-separator", True)


@pytest.mark.parametrize("digits", [GTIN, SSCC, GLN])
def test_any_single_wrong_digit_breaks_the_check_digit(digits: str) -> None:
    assert is_checked(digits)
    for at, was in enumerate(digits):
        assert not any(is_checked(digits[:at] + new + digits[at + 1 :]) for new in "0123456789" if new != was)


@pytest.mark.parametrize(("ai", "value"), [("8013", GMN), ("8007", IBAN)])
def test_any_single_wrong_character_breaks_check_characters(ai: str, value: str) -> None:
    require_value(ai, value)
    for at, was in enumerate(value):
        for new in "0Zz9":
            if new != was:
                with pytest.raises(Refused):
                    require_value(ai, value[:at] + new + value[at + 1 :])


@given(st.text(max_size=8))
def test_an_identifier_is_one_of_the_table_or_refused(text: str) -> None:
    refused = refusal_of(identifier_at, text, 0)
    assert refused.reason == "decode.gs1-unknown-ai" if refused else text.startswith(identifier_at(text, 0))
