"""The one place where bytes become characters: strict, in one order, and None rather than a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.charsets import ECI_CODECS, WIDE_ECIS, text_of
from agent.core.scan import Scan
from fakes.world import FakeClock

NAME = "姓名：测试"


@pytest.mark.parametrize(
    ("data", "eci", "charset", "text"),
    [
        (b"EHC1:ABC", None, "none", "EHC1:ABC"),
        (NAME.encode(), None, "gb18030", NAME),
        (NAME.encode("gb18030"), None, "gb18030", NAME),
        (NAME.encode("gb18030"), None, "none", None),
        (NAME.encode("gb18030"), 32, "none", NAME),
        (NAME.encode("gb2312"), 29, "none", NAME),
        ("姓名".encode("big5"), 28, "gb18030", "姓名"),
        ("テスト".encode("shift_jis"), 20, "gb18030", "テスト"),
        ("시험".encode("euc_kr"), 30, "gb18030", "시험"),
        ("Müller".encode("iso-8859-1"), 3, "gb18030", "Müller"),
        ("Łódź".encode("iso-8859-2"), 4, "none", "Łódź"),
        ("Łódź".encode("cp1250"), 21, "none", "Łódź"),
        ("тест".encode("cp1251"), 22, "none", "тест"),
        ("Müller".encode(), 3, "none", "Müller"),  # declared as Latin-1, written in UTF-8: some generators do
        ("AB".encode("utf-16-be"), 25, "none", "AB"),
        (b"\x00\xd8\x00", 25, "gb18030", None),
        (b"\xd8\x00\x00A", 25, "gb18030", None),  # half a surrogate pair
        (NAME.encode("gb18030"), 26, "gb18030", NAME),  # declared as UTF-8, and not
        (NAME.encode("gb18030"), 999_999, "gb18030", NAME),
        (b"\xff\xff", 27, "none", None),
        (b"\xff", None, "gb18030", None),
        ("テスト".encode("shift_jis"), None, "shift_jis", "テスト"),
        (b"", None, "none", ""),
    ],
)  # fmt: skip
def test_bytes_are_what_utf_8_then_the_symbol_then_the_site_say(data, eci, charset, text):
    assert text_of(data, eci, charset) == text
    assert Scan(data, "desk", FakeClock().now(), eci=eci, charset=charset).text == text


@given(st.text(), st.sampled_from([None, *sorted(ECI_CODECS.keys() - WIDE_ECIS)]))
def test_utf_8_is_always_itself(text, eci):
    assert text_of(text.encode(), eci, "gb18030") == text


@given(st.binary(max_size=64), st.none() | st.integers(0, 999_999), st.sampled_from(["none", "gb18030", "big5"]))
def test_no_bytes_raise_and_what_has_text_goes_back_to_the_same_bytes(data, eci, charset):
    text = text_of(data, eci, charset)
    if text is None:
        return
    codecs = ["utf-8", *([ECI_CODECS[eci]] if eci in ECI_CODECS else []), *([charset] if charset != "none" else [])]
    assert any(text == data.decode(codec) for codec in codecs if _takes(data, codec))


@pytest.mark.parametrize("codec", sorted(set(ECI_CODECS.values())))
def test_every_codec_named_exists(codec):
    assert "A".encode(codec).decode(codec) == "A"


def _takes(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
