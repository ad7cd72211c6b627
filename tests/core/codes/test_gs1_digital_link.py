"""GS1 Digital Links: read as elements, never as addresses; held against biip where both read them."""

import pytest
from biip import ParseError
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes.family import Refused
from agent.core.codes.gs1_digital_link import TEXT_CHARACTERS_MAX, elements_of, is_digital_link
from fakes.gs1_issuer import GLN, GTIN, SSCC

BASE = f"https://id.gs1.org/01/{GTIN}"


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        BASE + "/",
        f"{BASE}/22/2A/10/AB%2FC/21/9%25",
        f"{BASE}/235/TPX1",
        f"{BASE}/10/01/21/00",  # values that look like keys
        f"{BASE}?17=281130&3103=000123",
        f"{BASE}?17=281130;3103=000123",
        f"https://id.gs1.org/00/{SSCC}?02={GTIN}&37=10",
        f"https://brand.example/some/path/414/{GLN}/254/A1",
        "http://brand.example/8004/9521234ABC/7040/1ABC?linkType=gs1:pip",
        "https://brand.example/8010/9521234ABC/8011/12",
    ],
)
def test_it_reads_as_in_biip(text: str) -> None:
    ours = elements_of(text)
    assert is_digital_link(text)
    if ";" not in text and not text.endswith("/"):  # biip: & alone parts the query, and no slash may end the path
        assert ours == [(e.ai.ai, e.value) for e in GS1DigitalLinkURI.parse(text).element_strings]


@pytest.mark.parametrize(
    ("text", "why", "does_biip_take_it"),
    [
        (f"{BASE}/21/A/10/B", "out of order", False),
        (f"{BASE}/10/A/235/B", "of two groups", True),
        (f"{BASE}/17/281130", "an attribute in the path", False),
        (f"{BASE}?21=A", "a qualifier in the query", True),
        (f"{BASE}?01={GTIN}", "a key in the query", True),
        (f"{BASE}?9999=A", "a number that is no AI", True),
        (f"{BASE}?10=A+B", "a plus: a space to some", False),
        (f"{BASE}/10/A%2", "a percent sign alone", True),
        (f"{BASE}/10/%E6%89%B9", "characters that GS1 does not have", False),
        (f"{BASE}/10/A%252FB", "what is encoded twice is decoded once", True),
        (f"{BASE}?17=281301", "a date that there is not", False),
    ],
)
def test_what_the_standard_does_not_allow_is_refused(text: str, why: str, does_biip_take_it: bool) -> None:
    try:
        GS1DigitalLinkURI.parse(text)
        assert does_biip_take_it, why
    except ParseError:
        assert not does_biip_take_it, why
    if "%252F" in text:
        assert elements_of(text)[1] == ("10", "A%2FB")
        return
    with pytest.raises(Refused) as refused:
        elements_of(text)
    assert refused.value.reason.startswith("decode.gs1-"), why


@pytest.mark.parametrize(
    "text",
    [
        "https://health.example/card/01/12",
        "https://health.example/gtin/" + GTIN,
        f"ftp://id.gs1.org/01/{GTIN}",
        f"https://id.gs1.org?01={GTIN}",
        f"https://user:secret@id.gs1.org/01/{GTIN}",
        f"https://id.gs1.org/01/{GTIN}/21",
        f"https:///01/{GTIN}",
        f"httpſ://id.gs1.org/01/{GTIN}",
        f"https://id.gs1.org/é/01/{GTIN}",
        f"https://id.gs1.org/01/{GTIN}?{'x' * TEXT_CHARACTERS_MAX}",
        "javascript:alert(1)//01/" + GTIN,
    ],
)
def test_other_addresses_are_none(text: str) -> None:
    assert not is_digital_link(text)


def reason_of(text: str) -> str | None:
    try:
        elements_of(text)
    except Refused as refused:
        return refused.reason
    return None


@given(
    st.text(max_size=80)
    | st.text("0123456789/?&;=%AB", max_size=40)
    | st.sampled_from(["17=281130", "10/AB?17=281130"])
)
def test_any_text_is_read_or_refused(tail: str) -> None:
    for text in (tail, f"https://{tail}", f"{BASE}/{tail}", f"{BASE}?{tail}"):
        reason = reason_of(text)
        assert reason is None or reason.startswith("decode.gs1-")
