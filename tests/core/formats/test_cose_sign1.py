"""COSE_Sign1 in the profile of docs/protocol/cose.cddl."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.formats.cose import ALGORITHMS, CoseInvalid, HeaderInvalid, decode_sign1

KID = bytes(range(8))
SIGNATURE = bytes(64)


def envelope(
    protected: object, unprotected: object = None, payload: object = b"payload", signature: object = SIGNATURE
):
    header = protected if isinstance(protected, bytes) else cbor2.dumps(protected)
    return cbor2.dumps(cbor2.CBORTag(18, [header, unprotected or {}, payload, signature]))


@pytest.mark.parametrize("alg", ALGORITHMS)
@given(payload=st.binary(max_size=400), aad=st.binary(max_size=30))
def test_what_the_profile_allows_comes_apart_as_it_was_put_together(alg: int, payload: bytes, aad: bytes) -> None:
    protected = cbor2.dumps({1: alg, 4: KID}, canonical=True)
    message = decode_sign1(envelope(protected, payload=payload))
    assert (message.alg, message.key_id, message.payload, message.signature) == (alg, KID, payload, SIGNATURE)
    assert message.to_be_signed(aad) == cbor2.dumps(["Signature1", protected, aad, payload])


@pytest.mark.parametrize(
    ("what", "protected"),
    [
        ("no algorithm", {4: KID}),
        ("no key id", {1: -7}),
        ("nothing", b""),
        ("an empty map", {}),
        ("none", {1: 0, 4: KID}),
        ("HS256", {1: 5, 4: KID}),
        ("PS256", {1: -37, 4: KID}),
        ("ML-DSA, which an earlier SM2 number collides with", {1: -48, 4: KID}),
        ("an algorithm as text", {1: "ES256", 4: KID}),
        ("a key id of seven bytes", {1: -7, 4: KID[:7]}),
        ("a key id of nine bytes", {1: -7, 4: KID + b"\0"}),
        ("a key id as text", {1: -7, 4: "12345678"}),
        ("crit", {1: -7, 2: [99], 4: KID, 99: 1}),
        ("a content type", {1: -7, 3: 60, 4: KID}),
        ("the keys the other way round", {4: KID, 1: -7}),
        ("a doubled algorithm", b"\xa3\x01\x26\x04\x48" + KID + b"\x01\x26"),
        ("a longer number than needed", b"\xa2\x01\x38\x06\x04\x48" + KID),
        ("an indefinite map", b"\xbf\x01\x26\x04\x48" + KID + b"\xff"),
        ("true for the key 1", b"\xa2\xf5\x26\x04\x48" + KID),
        ("a byte behind the map", b"\xa2\x01\x26\x04\x48" + KID + b"\x00"),
    ],
)
def test_any_other_protected_header_is_refused(what: str, protected: object) -> None:
    with pytest.raises(HeaderInvalid):
        decode_sign1(envelope(protected))


@pytest.mark.parametrize("unprotected", [{1: -7}, {4: KID}, {33: b"certificate"}, {"a": 1}])
def test_an_unprotected_header_is_refused_whatever_it_says(unprotected: dict[object, object]) -> None:
    with pytest.raises(HeaderInvalid):
        decode_sign1(envelope({1: -7, 4: KID}, unprotected))


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("nothing", b""),
        ("no tag", envelope({1: -7, 4: KID})[1:]),
        ("tag 17", b"\xd1" + envelope({1: -7, 4: KID})[1:]),
        ("the tag in two bytes", b"\xd8\x12" + envelope({1: -7, 4: KID})[1:]),
        ("a CWT tag around it", b"\xd8\x3d" + envelope({1: -7, 4: KID})),
        ("three parts", cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b""]))),
        ("five parts", cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b"", SIGNATURE, b""]))),
        ("an indefinite array", b"\xd2\x9f" + envelope({1: -7, 4: KID})[2:] + b"\xff"),
        ("a byte behind it", envelope({1: -7, 4: KID}) + b"\x00"),
        ("a detached payload", envelope({1: -7, 4: KID}, payload=None)),
        ("a payload that is text", envelope({1: -7, 4: KID}, payload="text")),
        ("a DER signature", envelope({1: -7, 4: KID}, signature=bytes(70))),
        ("half a signature", envelope({1: -7, 4: KID}, signature=bytes(32))),
        ("no signature", envelope({1: -7, 4: KID}, signature=b"")),
        ("a header that is a map, not its bytes", b"\xd2\x84\xa0\xa0\x40\x40"),
        ("a payload whose length takes more bytes than needed",
         envelope({1: -7, 4: KID}).replace(b"\x47payload", b"\x58\x07payload")),
    ],
)  # fmt: skip
def test_what_is_no_envelope_of_the_profile_is_refused(what: str, data: bytes) -> None:
    with pytest.raises(CoseInvalid):
        decode_sign1(data)


@given(st.integers(0, 100), st.binary(max_size=8))
def test_a_cut_or_disturbed_envelope_is_refused_or_says_something_else(at: int, noise: bytes) -> None:
    good = envelope({1: -7, 4: KID})
    at %= len(good)
    data = good[:at] + noise
    if data == good:
        return
    try:
        message = decode_sign1(data)
    except CoseInvalid:
        return
    assert message != decode_sign1(good)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_refused(data: bytes) -> None:
    for candidate in (data, b"\xd2\x84" + data):
        try:
            decode_sign1(candidate)
        except CoseInvalid:
            continue
