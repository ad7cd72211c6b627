"""Deterministic CBOR without tags, RFC 8949 §4.2.1."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.formats.cbor import DEPTH_MAX, CborInvalid, byte_string, decode_deterministic, read_byte_string

INTEGERS = st.integers(-(2**64), 2**64 - 1)
LEAVES = INTEGERS | st.binary(max_size=40) | st.text(max_size=20) | st.booleans() | st.none()


def encode(value: object) -> bytes:
    """Encode from the rules, for lists and maps as well."""
    if isinstance(value, list):
        return cbor2.dumps([None] * len(value))[: -len(value) or None] + b"".join(map(encode, value))
    if isinstance(value, dict):
        head = cbor2.dumps(dict.fromkeys(range(len(value))))[: 1 if len(value) < 24 else 2]
        return head + b"".join(key + item for key, item in sorted((encode(k), encode(v)) for k, v in value.items()))
    return cbor2.dumps(value)


VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(INTEGERS, inner, max_size=30),
    max_leaves=40,
)


@given(VALUES)
def test_what_is_encoded_deterministically_decodes_to_the_same(value: object) -> None:
    data = encode(value)
    try:
        assert decode_deterministic(data) == value
    except CborInvalid:
        assert depth(value) > DEPTH_MAX


def depth(value: object) -> int:
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if items is None else 1 + max(map(depth, items), default=0)


@given(VALUES, st.binary(min_size=1, max_size=3))
def test_bytes_behind_a_value_are_refused(value: object, behind: bytes) -> None:
    with pytest.raises(CborInvalid):
        decode_deterministic(encode(value) + behind)


@given(st.binary(max_size=80))
def test_any_bytes_have_one_value_or_none(data: bytes) -> None:
    try:
        value = decode_deterministic(data)
    except CborInvalid:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("nothing", ""),
        ("a number in more bytes than it needs", "1800"),
        ("a length in more bytes than it needs", "580100"),
        ("a text length in more bytes than it needs", "780161"),
        ("a list length in more bytes than it needs", "980100"),
        ("a map length in more bytes than it needs", "b8010000"),
        ("a list of indefinite length", "9fff"),
        ("a map of indefinite length", "bfff"),
        ("a byte string of indefinite length", "5fff"),
        ("a text of indefinite length", "7fff"),
        ("a doubled key", "a2010001 00"),
        ("a doubled key of another type to Python: 1 and true", "a20100f500"),
        ("the key true, which Python takes for 1", "a1f500"),
        ("the key 1.0, which Python takes for 1", "a1f93c0000"),
        ("a text as a key", "a1616100"),
        ("a list as a key", "a18000"),
        ("keys out of order", "a202000100"),
        ("a negative key before a positive one", "a220000100"),
        ("keys in the older order, shorter ones first", "a22000181800"),
        ("a map of that order inside a list", "81a22000181800"),
        ("a half float", "f93c00"),
        ("a float that is not the shortest", "fb3ff0000000000000"),
        ("a double that could not be shorter", "fb3fb999999999999a"),
        ("not a number", "f97e00"),
        ("undefined", "f7"),
        ("a simple value", "f0"),
        ("text that is not UTF-8", "61ff"),
        ("a string cut short", "43aabb"),
        ("a huge string", "5bffffffffffffffff"),
        ("a huge list", "9bffffffffffffffff"),
        ("a huge map", "bbffffffffffffffff"),
        ("a break", "ff"),
        ("a reserved head", "1c"),
    ],
)
def test_what_is_not_deterministic_is_refused(what: str, data: str) -> None:
    with pytest.raises(CborInvalid):
        decode_deterministic(bytes.fromhex(data.replace(" ", "")))


@pytest.mark.parametrize("body", [b"\x00", b"\x40", b"\x60", b"\x80", b"\xa0", b"\x82\x01\x02", b"\x6a2013-03-21"])
def test_no_tag_is_ever_interpreted(body: bytes) -> None:
    """Dates, big numbers, regular expressions, MIME, shared references: nothing that cbor2 would build."""
    for tag in [*range(600), 1004, 43000, 55799, 55800, 2**16 - 1, 2**32, 2**64 - 1]:
        head = cbor2.dumps(cbor2.CBORTag(tag, 0))[:-1]
        for data in (head + body, b"\x81" + head + body, b"\xa1\x01" + head + body):
            with pytest.raises(CborInvalid):
                decode_deterministic(data)


@pytest.mark.parametrize("head", [b"\x81", b"\xa1\x01", b"\xc6"])
def test_deep_nesting_is_refused(head: bytes) -> None:
    with pytest.raises(CborInvalid):
        decode_deterministic(head * 100_000 + b"\x00")


@given(st.binary(max_size=300))
def test_byte_strings_are_read_as_they_were_written(data: bytes) -> None:
    encoded = byte_string(data)
    assert encoded == cbor2.dumps(data)
    assert read_byte_string(b"\x01" + encoded + b"\x02", 1) == (data, 1 + len(encoded))


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65_535])
def test_byte_strings_of_every_head_go_both_ways(size: int) -> None:
    assert byte_string(bytes(size)) == cbor2.dumps(bytes(size))
    assert read_byte_string(byte_string(bytes(size)), 0)[0] == bytes(size)


@given(st.binary(max_size=40))
def test_reading_a_byte_string_agrees_with_decoding_it(data: bytes) -> None:
    try:
        read, end = read_byte_string(data, 0)
    except CborInvalid:
        with pytest.raises((CborInvalid, AssertionError)):
            assert isinstance(decode_deterministic(data), bytes)
    else:
        assert decode_deterministic(data[:end]) == read
