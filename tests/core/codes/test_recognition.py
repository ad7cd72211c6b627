"""One scan, one family."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes import FAMILIES, recognise
from agent.core.scan import SCAN_BYTES_MAX, Scan, ScanFault
from agent.core.time_interval import Interval, Stamp
from agent.core.verdict import CodeType

AT = Stamp(bytes(16), 0, Interval(0, 0), "os")
HEX = "0123456789abcdefABCDEF" * 3
CARD = HEX[:64]
TOKEN = "00112233445566778899aabbccddeeff"


def family_of(text: str) -> str:
    return recognise(Scan(text.encode(), "desk", AT)).family


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("EHC1:", "ehc"),
        ("EHC1:BB8", "ehc"),
        ("EHC1:anything at all", "ehc"),
        ("ehc1:BB8", "unknown"),
        (" EHC1:BB8", "unknown"),
        ("EHC1", "unknown"),
        ("EHC2:BB8", "unknown"),
        ("shc:/5676", "shc"),
        ("shc:/2/3/56", "shc"),
        ("shc:", "shc"),
        ("SHC:/5676", "unknown"),
        ("shlink:/eyJ", "unknown"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.AA", "shc"),  # any compact JWS: refused for its header
        ("eyJhbGciOiJIUzI1NiJ9.e30", "unknown"),
        ('{"verifiableCredential":[]}', "shc"),
        ('{"data":{}}', "unknown"),
        ("HC1:NCF", "hcert"),
        (CARD, "national"),
        (CARD + ":1", "national"),
        (CARD + ":0:" + TOKEN, "national"),
        (CARD + ":1::4420", "national"),
        (CARD + ":", "national"),
        (CARD + ":7", "national"),
        (CARD + "0", "unknown"),
        (CARD[:63], "unknown"),
        (CARD + "\n", "unknown"),
        (CARD + " ", "unknown"),
        (CARD[:63] + "g", "unknown"),
        (CARD[:63] + "０", "unknown"),
        ("https://health.example/" + CARD, "unknown"),
        ("", "unknown"),
        ("11010519491231002X", "unknown"),
    ],
)
def test_the_shape_decides_the_family(text: str, family: str) -> None:
    assert family_of(text) == family


@pytest.mark.parametrize(
    ("tail", "type_"),
    [
        ("", CodeType.STATIC),
        (":1", CodeType.STATIC),
        (":1::4420", CodeType.STATIC),
        (f":0:{TOKEN}", CodeType.DYNAMIC),
        (":0", CodeType.DYNAMIC),
        (":2", None),
    ],
)
def test_a_national_text_says_its_type_and_keeps_the_card_in_upper_case(tail: str, type_: CodeType | None) -> None:
    code = recognise(Scan((CARD.lower() + tail).encode(), "desk", AT))
    assert (code.type, code.text) == (type_, CARD.upper() + tail)


@pytest.mark.parametrize("fault", list(ScanFault))
def test_a_scan_with_a_fault_is_unreadable_even_if_it_looks_whole(fault: ScanFault) -> None:
    code = recognise(Scan(CARD.encode(), "desk", AT, fault=fault))
    assert (code.family, code.text) == ("unreadable", fault.value)


def test_a_scan_longer_than_any_code_is_unreadable() -> None:
    assert recognise(Scan(b"1" * SCAN_BYTES_MAX, "desk", AT)).family == "unknown"
    assert recognise(Scan(b"1" * (SCAN_BYTES_MAX + 1), "desk", AT)).family == "unreadable"


@given(st.binary(max_size=200))
def test_any_bytes_belong_to_exactly_one_family_and_unknown_ones_can_be_had_back(data: bytes) -> None:
    code = recognise(Scan(data, "desk", AT))
    assert code.family in {family.name for family in FAMILIES} | {"unknown"}
    if code.family == "unknown":
        assert code.text.encode("utf-8", "surrogateescape") == data


@given(st.sampled_from(["EHC1:", CARD, CARD + ":0:" + TOKEN, "1"]), st.text(max_size=100))
def test_no_scan_is_claimed_by_two_families(head: str, tail: str) -> None:
    scan = Scan((head + tail).encode("utf-8", "surrogatepass"), "desk", AT)
    if scan.text is not None:
        assert sum(family.recognise(scan.text, scan) is not None for family in FAMILIES) <= 1


def test_the_text_of_a_code_never_shows_in_its_repr() -> None:
    assert CARD[:16] not in repr(recognise(Scan(CARD.encode(), "desk", AT))).lower()
