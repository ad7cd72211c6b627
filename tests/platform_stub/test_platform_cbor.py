"""Deterministic CBOR, base45 and COSE, the platform's own: one way to write each thing, and never another error."""

import time

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_stub.wire import base45, cbor, cose

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.integers(-70000, 70000), VALUES, max_size=8) | VALUES)
def test_what_was_encoded_is_decoded(value):
    assert cbor.decode(cbor.encode(value)) == value


@given(st.binary(max_size=80))
def test_decoding_any_bytes_gives_a_value_or_the_one_error(data):
    try:
        value = cbor.decode(data)
    except cbor.CborInvalid:
        return
    assert cbor.encode(value) == data


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("nothing", ""),
        ("a trailing byte", "0000"),
        ("an integer of more bytes than needed", "1801"),
        ("a length of more bytes than needed", "580161"),
        ("an indefinite list", "9f01ff"),
        ("a duplicate key", "a201000101"),
        ("keys out of order", "a202000100"),
        ("negative keys before others", "a220000000"),
        ("negative keys in between", "a3000020000100"),
        ("a text as key", "a1616100"),
        ("a map as key", "a1a0 00"),
        ("a bigfloat that would need gigabytes", "c5821a3fffffff01"),
        ("a bignum", "c249010000000000000000"),
        ("a date", "c11a514b67b0"),
        ("a shared reference", "d81c81d81d00"),
        ("a set", "d9010281 01"),
        ("a string reference", "d901008261618 0".replace(" ", "")),
        ("half a map", "a101"),
        ("invalid UTF-8", "62c328"),
        ("too deep", "81" * 9 + "00"),
    ],
)
def test_anything_but_the_deterministic_encoding_is_refused(name, data):
    with pytest.raises(cbor.CborInvalid):
        cbor.decode(bytes.fromhex(data.replace(" ", "")))


def test_a_hostile_tag_costs_nothing():
    started = time.process_time()
    for hostile in ("c5821a7fffffff01", "c4821a7fffffff01", "c25b00000000ffffffff"):
        with pytest.raises(cbor.CborInvalid):
            cbor.decode(bytes.fromhex(hostile))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"", "")]
)
def test_base45_is_that_of_the_rfc(data, text):
    assert base45.encode(data) == text
    assert base45.decode(text) == data


@given(st.binary(max_size=200))
def test_base45_round_trip(data):
    assert base45.decode(base45.encode(data)) == data


@given(st.text(max_size=30) | st.text(alphabet=base45.ALPHABET, max_size=30))
def test_any_text_is_base45_of_something_or_refused(text):
    try:
        data = base45.decode(text)
    except base45.Base45Invalid:
        return
    assert base45.encode(data) == text


@given(st.binary(max_size=120), st.data())
def test_reading_a_damaged_cose_raises_only_its_own_error(vectors, noise, data):
    good = bytes.fromhex(vectors("hello")["empty_head"])
    at = data.draw(st.integers(0, len(good)))
    for damaged in (noise, b"\xd2" + noise, good[:at] + noise, good[:at] + noise + good[at:]):
        try:
            cose.read_signed(damaged)
        except cose.CoseInvalid:
            continue


def test_any_flipped_bit_breaks_the_signature_or_the_form(vectors):
    from vectors import generate

    good = bytes.fromhex(vectors("hello")["empty_head"])
    key = generate.TERMINAL.public_key()
    assert cose.is_signed_by(key, "scanward-head-1", cose.read_signed(good))
    assert not cose.is_signed_by(key, "scanward-record-1", cose.read_signed(good))
    for bit in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            signed = cose.read_signed(bytes(flipped))
        except cose.CoseInvalid:
            continue
        # a kid is only a hint: a flip there leaves a message that no longer names the key it must be checked with
        assert not cose.is_signed_by(key, "scanward-head-1", signed), bit


def test_signing_gives_the_bytes_of_the_vectors(vectors):
    from vectors import generate

    good = bytes.fromhex(vectors("hello")["empty_head"])
    assert cose.sign(generate.TERMINAL, "scanward-head-1", cbor2.loads(good).value[2]) == good
