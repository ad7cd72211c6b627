"""Verification keys: range checks, and what fits which algorithm. Wycheproof's vectors are `make conformance`'s."""

import subprocess
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils, x25519

from agent.adapters.keys.verification import build_key
from agent.core.trust_list import AlgorithmUnavailable

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
MESSAGE = b"a message"


def spki(key: Any) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(encoding, form))


def test_numbers_of_every_length_are_checked() -> None:
    """DER writes r and s without leading zeros, and with one where the first bit is set."""
    private = ec.derive_private_key(1_234_567, ec.SECP256R1())
    key, seen = build_key("ES256", spki(private)), set[tuple[int, int]]()
    for number in range(4_000):
        message = number.to_bytes(2, "big")
        der = private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = utils.decode_dss_signature(der)
        assert key.verify(r.to_bytes(32, "big") + s.to_bytes(32, "big"), message)
        seen.add(((r.bit_length() + 8) // 8, (s.bit_length() + 8) // 8))  # bytes in DER
    assert {length for length, _ in seen} >= {31, 32, 33} <= {length for _, length in seen}


def test_r_and_s_must_lie_between_zero_and_the_order() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key = build_key("ES256", spki(private))
    r, s = utils.decode_dss_signature(private.sign(MESSAGE, ec.ECDSA(hashes.SHA256())))

    def raw(r: int, s: int) -> bytes:
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    assert key.verify(raw(r, s), MESSAGE)
    for bad_r, bad_s in ((0, s), (r, 0), (0, 0), (ORDER, s), (r, ORDER), (r, 2**256 - 1), (2**256 - 1, s)):
        assert not key.verify(raw(bad_r, bad_s), MESSAGE)
    assert not key.verify(raw(s, r), MESSAGE)
    assert not key.verify(raw(r, s), MESSAGE + b"!")


def test_a_der_signature_is_none() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key = build_key("ES256", spki(private))
    assert not key.verify(private.sign(MESSAGE, ec.ECDSA(hashes.SHA256())), MESSAGE)


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 70, 128])
@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_a_signature_of_another_length_is_none(alg: str, size: int) -> None:
    private: Any = ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else ed25519.Ed25519PrivateKey.generate()
    assert not build_key(alg, spki(private)).verify(bytes(size), MESSAGE)


def test_an_ed25519_signature_is_verified_and_no_flipped_bit_of_it() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key = build_key("EdDSA", spki(private))
    signature = private.sign(MESSAGE)
    assert key.verify(signature, MESSAGE)
    for place in range(512):
        flipped = bytearray(signature)
        flipped[place // 8] ^= 1 << place % 8
        assert not key.verify(bytes(flipped), MESSAGE)


@pytest.mark.parametrize(
    ("alg", "private"),
    [
        ("ES256", ed25519.Ed25519PrivateKey.generate()),
        ("ES256", ec.generate_private_key(ec.SECP384R1())),
        ("ES256", ec.generate_private_key(ec.SECP256K1())),
        ("ES256", rsa.generate_private_key(65537, 2048)),
        ("EdDSA", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", x25519.X25519PrivateKey.generate()),
    ],
)
def test_a_key_of_another_kind_does_not_fit(alg: str, private: Any) -> None:
    with pytest.raises(ValueError, match=f"not a key for {alg}"):
        build_key(alg, spki(private))


@pytest.mark.parametrize("data", [b"", b"no DER", bytes(91), spki(ed25519.Ed25519PrivateKey.generate())[:-1]])
def test_bytes_that_are_no_key_do_not_fit(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        build_key("ES256", data)


def test_a_point_that_is_not_on_the_curve_does_not_fit() -> None:
    good = spki(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(ValueError, match=r"."):
        build_key("ES256", good[:-1] + bytes((good[-1] ^ 1,)))


HEAD_ED25519 = "302a300506032b6570032100"
SMALL = (  # y of the points of small order, and y + p where that fits
    "00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
)  # fmt: skip


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("point", SMALL)
def test_a_key_for_which_anybody_can_sign_is_refused(point: str, sign: int) -> None:
    raw = bytes.fromhex(point)
    key = bytes.fromhex(HEAD_ED25519) + raw[:-1] + bytes((raw[-1] | sign,))
    with pytest.raises(ValueError, match="small order"):
        build_key("EdDSA", key)


def test_the_library_takes_such_a_key_and_a_signature_made_by_nobody() -> None:
    """Why the check is there. Once this fails, the library refuses the key or the signature itself."""
    nobodys = serialization.load_der_public_key(bytes.fromhex(HEAD_ED25519) + b"\x01" + bytes(31))
    nobodys.verify(b"\x01" + bytes(63), b"any message")  # type: ignore[union-attr, call-arg]


@pytest.mark.parametrize("alg", ["sm2", "RS384", "none", "HS256", "ES384", "X25519", "es256", ""])
def test_any_other_algorithm_is_not_to_be_had(alg: str) -> None:
    with pytest.raises(AlgorithmUnavailable):
        build_key(alg, spki(ec.generate_private_key(ec.SECP256R1())))


def test_the_usual_keys_load_no_old_backend() -> None:
    program = (
        "import sys; from agent.adapters.keys.verification import build_key;"
        "key = build_key('ES256', bytes.fromhex(sys.argv[1])); assert not key.verify(bytes(31) + b'1' * 33, b'x');"
        "print([name for name in sys.modules if name.startswith('cryptography.hazmat.backends')])"
    )
    key = spki(ec.generate_private_key(ec.SECP256R1())).hex()
    run = subprocess.run([sys.executable, "-c", program, key], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
