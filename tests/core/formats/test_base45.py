"""Base45, RFC 9285."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.formats import base45
from agent.core.formats.base45 import Base45Invalid, decode, encode

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"AB", "BB8"),  # the examples of RFC 9285 §4.3 and §4.4
        (b"Hello!!", "%69 VD92EX0"),
        (b"base-45", "UJCLQE7W581"),
        (b"ietf!", "QED8WEX0"),
        (b"\xff\xff", "FGW"),
        (b"\xff", "U5"),
        (b"\x00\x00\x00", "00000"),
    ],
)
def test_the_examples_of_the_rfc_go_both_ways(data: bytes, text: str) -> None:
    assert encode(data) == text
    assert decode(text) == data


@given(st.binary(max_size=600))
def test_what_is_encoded_decodes_to_the_same(data: bytes) -> None:
    assert decode(encode(data)) == data


@given(st.text(ALPHABET, max_size=60))
def test_what_decodes_has_one_text_only(text: str) -> None:
    try:
        data = decode(text)
    except Base45Invalid:
        return
    assert encode(data) == text


@pytest.mark.parametrize("first", range(0, 45, 11))
def test_every_group_of_three_above_65535_is_refused(first: int) -> None:
    """All 91,125 groups, a fifth in each run: the rule stands in the specification, not in our arithmetic."""
    for c in range(first, 45, 11):
        for d in range(45):
            for e in range(45):
                text = ALPHABET[c] + ALPHABET[d] + ALPHABET[e]
                number = c + 45 * d + 2025 * e
                if number > 0xFFFF:
                    with pytest.raises(Base45Invalid):
                        decode("BB8" + text + "BB8")
                else:
                    assert decode("BB8" + text + "BB8") == b"AB" + number.to_bytes(2, "big") + b"AB"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A", "1 modulo 3"),
        ("BB8B", "1 modulo 3"),
        ("GGW", "65,535"),
        (":::", "65,535"),
        ("BB8:::", "65,535"),
        ("V5", "255"),
        ("BB8::", "255"),
        ("bb8", "lacks"),
        ("BB8\n", "lacks"),
        ("BB_", "lacks"),
        ("ＢＢ8", "lacks"),
        ("BB\x00", "lacks"),
        ("000" * 1433, "4296 characters"),
    ],
)
def test_what_is_not_base45_is_refused_with_a_reason_that_does_not_repeat_it(text: str, why: str) -> None:
    with pytest.raises(Base45Invalid, match=why) as refusal:
        decode(text)
    assert text not in str(refusal.value)


@given(st.text(max_size=80))
def test_any_text_decodes_or_is_refused(text: str) -> None:
    try:
        data = decode(text)
    except Base45Invalid:
        assert set(text) - set(ALPHABET) or len(text) % 3 == 1 or any(c in text for c in ALPHABET[5:])
    else:
        assert encode(data) == text


def test_the_longest_text_is_what_a_qr_code_can_hold() -> None:
    assert decode("FGW" * (base45.CHARACTERS_MAX // 3)) == b"\xff" * (base45.CHARACTERS_MAX // 3 * 2)
