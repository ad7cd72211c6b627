"""SM2 signatures: what must be refused, and three other implementations. The public suites are `make conformance`'s."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import generate

from agent.adapters.keys import sm2
from agent.adapters.keys.verification import build_key
from fakes.libcrypto_signer import LibcryptoSigner
from platform_stub.wire.sm2 import Sm2PrivateKey, Sm2PublicKey

N = generate.SM2_ORDER
MESSAGE = b"a message"
PRIVATE = generate.sm2_key("a signer of these tests")
KEY = sm2.load_key(PRIVATE.spki)
SIGNATURE = PRIVATE.sign(MESSAGE)
R, S = int.from_bytes(SIGNATURE[:32], "big"), int.from_bytes(SIGNATURE[32:], "big")
HEAD = PRIVATE.spki[:-64]
PRIVATE_KEYS = st.integers(1, N - 2)
MESSAGES = st.binary(max_size=300)


def raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_the_example_of_the_standard_is_valid_to_the_platform_too() -> None:
    point = sm2.EXAMPLE.spki[-64:]
    key = Sm2PublicKey((int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")))
    assert key.verify(sm2.EXAMPLE.signature, sm2.EXAMPLE.message)


@given(PRIVATE_KEYS, MESSAGES, st.integers(0, 511))
@settings(deadline=None, max_examples=40)
def test_what_the_platform_signs_the_agent_verifies_and_no_flipped_bit(d: int, message: bytes, bit: int) -> None:
    private = Sm2PrivateKey(d)
    public = private.public_key()
    key, signature = build_key("SM2", public.spki()), private.sign(message)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert key.verify(signature, message)
    assert public.verify(signature, message)
    assert not key.verify(bytes(flipped), message)
    assert not public.verify(bytes(flipped), message)
    assert not key.verify(signature, message + b"\0")
    assert generate.Sm2Key(d).sign(message) == signature, "the vectors' signer and the platform's differ"


@given(PRIVATE_KEYS, MESSAGES, st.binary(max_size=40))
@settings(deadline=None, max_examples=25)
def test_what_libcrypto_signs_the_platform_and_the_agent_verify(d: int, message: bytes, user_id: bytes) -> None:
    private = Sm2PrivateKey(d)
    signature = LibcryptoSigner(private.pkcs8()).sign(message, user_id)
    assert private.public_key().verify(signature, message, user_id)
    key = sm2.load_key(private.public_key().spki(), user_id=user_id)
    assert key.verify(signature, message)


@given(st.one_of(st.binary(max_size=80), st.binary(min_size=64, max_size=64)), MESSAGES)
@settings(deadline=None, max_examples=150)
def test_no_bytes_at_random_are_a_signature_and_none_raises(signature: bytes, message: bytes) -> None:
    assert not KEY.verify(signature, message)


def test_no_flipped_bit_of_signature_or_message_is_verified() -> None:
    assert KEY.verify(SIGNATURE, MESSAGE)
    for place in range(512):
        flipped = bytearray(SIGNATURE)
        flipped[place // 8] ^= 1 << place % 8
        assert not KEY.verify(bytes(flipped), MESSAGE), f"bit {place} of the signature"
    for place in range(8 * len(MESSAGE)):
        flipped = bytearray(MESSAGE)
        flipped[place // 8] ^= 1 << place % 8
        assert not KEY.verify(SIGNATURE, bytes(flipped)), f"bit {place} of the message"


def test_no_flipped_bit_of_a_public_key_is_a_key_that_verifies() -> None:
    for place in range(8 * len(PRIVATE.spki)):
        flipped = bytearray(PRIVATE.spki)
        flipped[place // 8] ^= 1 << place % 8
        try:
            key = sm2.load_key(bytes(flipped))
        except ValueError:
            continue
        assert not key.verify(SIGNATURE, MESSAGE), f"bit {place}"


@pytest.mark.parametrize(
    ("what", "r", "s"),
    [
        ("r is zero", 0, S),
        ("s is zero", R, 0),
        ("both are zero", 0, 0),
        ("r is the order", N, S),
        ("s is the order", R, N),
        ("both are the order", N, N),
        ("r is above the order", N + 1, S),
        ("r is the order of the field", generate.SM2_P, S),
        ("r is all ones", 2**256 - 1, S),
        ("s is all ones", R, 2**256 - 1),
        ("s is negated", R, N - S),
        ("r is negated", N - R, S),
        ("they add up to the order", R, N - R),
        ("they are swapped", S, R),
        ("they are one", 1, 1),
        ("they are the order less one", N - 1, N - 1),
    ],
)
def test_r_and_s_out_of_bounds_or_out_of_place_are_refused(what: str, r: int, s: int) -> None:
    assert not KEY.verify(raw(r, s), MESSAGE)


@pytest.mark.parametrize(("r", "s"), [(R + N, S), (R, S + N), (R + N, S + N), (R - N, S), (R, S - N), (-R, S), (R, -S)])
def test_libcrypto_itself_refuses_what_64_bytes_cannot_say(r: int, s: int) -> None:
    library = sm2.Libcrypto(sm2.LIBRARIES[0])
    key, digest = library.read_key(PRIVATE.spki), library.sm3(KEY.za + MESSAGE)
    assert library.is_signature(key, utils.encode_dss_signature(R, S), digest)
    assert not library.is_signature(key, der(r, s), digest)


def der(r: int, s: int) -> bytes:
    """Encode two integers of any sign."""
    body = b""
    for number in (r, s):
        octets = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
        body += bytes((2, len(octets))) + octets
    return bytes((0x30, len(body))) + body


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 70, 71, 72, 128, 100_000])
def test_a_signature_of_another_length_is_none(size: int) -> None:
    assert not KEY.verify(bytes(size), MESSAGE)
    assert not KEY.verify((SIGNATURE * (size // 64 + 1))[:size], MESSAGE)


def test_a_der_signature_is_none_whatever_its_length() -> None:
    for number in range(50):
        signature = PRIVATE.sign(b"%d" % number)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        assert KEY.verify(signature, b"%d" % number)
        assert not KEY.verify(utils.encode_dss_signature(r, s), b"%d" % number)


@pytest.mark.parametrize("user_id", [b"", b"1234567812345679", b"ALICE123@YAHOO.COM", b"1234567812345678\0"])
def test_another_user_id_is_another_signer(user_id: bytes) -> None:
    theirs = PRIVATE.sign(MESSAGE, user_id)
    assert not KEY.verify(theirs, MESSAGE)
    assert sm2.load_key(PRIVATE.spki, user_id=user_id).verify(theirs, MESSAGE)
    assert not sm2.load_key(PRIVATE.spki, user_id=user_id).verify(SIGNATURE, MESSAGE)


def test_a_user_id_that_two_bytes_cannot_count_is_said() -> None:
    assert sm2.load_key(PRIVATE.spki, user_id=bytes(8_191)).verify(PRIVATE.sign(MESSAGE, bytes(8_191)), MESSAGE)
    with pytest.raises(ValueError, match="user id"):
        sm2.load_key(PRIVATE.spki, user_id=bytes(8_192))


def test_an_ecdsa_signature_by_the_same_number_is_none() -> None:
    k = 7
    r = generate.sm2_multiply(k, generate.SM2_G)[0] % N
    for digest in (PRIVATE.digest(MESSAGE), int.from_bytes(generate.sm3(MESSAGE), "big")):
        assert not KEY.verify(raw(r, pow(k, -1, N) * (digest + r * PRIVATE.d) % N), MESSAGE)


def spki(key: Any) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(encoding, form))


@pytest.mark.parametrize(
    "private",
    [ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256K1()),
     ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()],
    ids=["P-256", "secp256k1", "P-384", "Ed25519"],
)  # fmt: skip
def test_a_key_of_another_kind_labelled_sm2_does_not_fit(private: Any) -> None:
    with pytest.raises(ValueError, match="not an SM2 key"):
        build_key("SM2", spki(private))
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.key_size == 256:
        with pytest.raises(ValueError, match="not a p"):
            build_key("SM2", HEAD + spki(private)[-64:])


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_an_sm2_key_labelled_otherwise_does_not_fit(alg: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        build_key(alg, PRIVATE.spki)


def test_one_key_under_two_labels_verifies_only_by_its_own_algorithm() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    r, s = utils.decode_dss_signature(private.sign(MESSAGE, ec.ECDSA(hashes.SHA256())))
    assert build_key("ES256", spki(private)).verify(raw(r, s), MESSAGE)
    assert not KEY.verify(raw(r, s), MESSAGE)
    assert not build_key("ES256", spki(private)).verify(SIGNATURE, MESSAGE)


X, Y = PRIVATE.point
INFINITY = bytes.fromhex("3017301306072a8648ce3d020106082a811ccf5501822d030200") + b"\0"


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("nothing", b""),
        ("zeros", bytes(91)),
        ("a byte less", PRIVATE.spki[:-1]),
        ("a byte more", PRIVATE.spki + b"\0"),
        ("off the curve", HEAD + raw(X, Y ^ 1)),
        ("zero and zero", HEAD + raw(0, 0)),
        ("x of p", HEAD + raw(generate.SM2_P, Y)),
        ("y of all ones", HEAD + raw(X, 2**256 - 1)),
        ("the point at infinity", INFINITY),
        ("a compressed point", bytes.fromhex("3039301306072a8648ce3d020106082a811ccf5501822d032200")
         + bytes((2 + Y % 2,)) + X.to_bytes(32, "big")),
        ("a hybrid point", HEAD[:-1] + bytes((6 + Y % 2,)) + raw(X, Y)),
        ("SM2 as the algorithm, not only as its curve",
         bytes.fromhex("305a301406082a811ccf5501822d06082a811ccf5501822d03420004") + raw(X, Y)),
        ("P-256 as its curve", PRIVATE.spki.replace(bytes.fromhex("06082a811ccf5501822d"),
                                                    bytes.fromhex("06082a8648ce3d030107"))),
        ("an unused bit in the bit string", PRIVATE.spki.replace(b"\x03\x42\x00", b"\x03\x42\x01")),
        ("PEM", b"-----BEGIN PUBLIC KEY-----"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_key_in_its_one_form_do_not_fit(what: str, data: bytes) -> None:
    with pytest.raises(ValueError, match="not a"):
        build_key("SM2", data)


def test_a_point_whose_coordinate_is_not_reduced_is_no_second_name_of_a_key() -> None:
    # The only points with x + p below 2**256 have x below 2**224: one is looked for, and its other name refused.
    p, x = generate.SM2_P, 0
    while True:
        square = (x**3 - 3 * x + generate.SM2_B) % p
        y = pow(square, (p + 1) // 4, p)
        if y * y % p == square:
            break
        x += 1
    assert sm2.load_key(HEAD + raw(x, y)).za
    with pytest.raises(ValueError, match="below p"):
        sm2.load_key(HEAD + raw(x + p, y))
