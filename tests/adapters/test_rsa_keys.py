"""RSA keys: the Wycheproof vectors for both schemes, and which keys are taken."""

import json
import os
from pathlib import Path

import pytest
from asn1crypto.keys import PublicKeyInfo, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from agent.adapters.keys.verification import build_key
from fakes.asia_issuers import ec_key, rsa_key, spki_of

MESSAGE = b"a message"


@pytest.mark.parametrize(
    ("file", "alg", "cases_min"),
    [
        ("rsa_signature_2048_sha256_test.json", "RS256", 200),
        ("rsa_pss_2048_sha256_mgf1_32_test.json", "PS256", 90),
    ],
)
def test_every_wycheproof_vector_is_judged_as_it_says(file: str, alg: str, cases_min: int) -> None:
    """ "acceptable" is a DigestInfo without the NULL of its parameters (RFC 8017 §9.2): refused."""
    vectors = os.environ.get("SCANWARD_VECTORS")
    if not vectors:
        pytest.skip("SCANWARD_VECTORS names no folder with wycheproof/ in it (docs/conformance.md)")
    cases, wrong = 0, []
    for group in json.loads((Path(vectors) / "wycheproof" / file).read_text())["testGroups"]:
        key = build_key(alg, bytes.fromhex(group["publicKeyDer"]))
        for case in group["tests"]:
            cases += 1
            says = key.verify(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
            if says != (case["result"] == "valid"):
                wrong.append((case["tcId"], case["comment"], case["result"], says))
    assert wrong == []
    assert cases >= cases_min


def test_a_key_checks_with_its_one_scheme() -> None:
    private = rsa_key("schemes")
    by_pss = private.sign(MESSAGE, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    by_pkcs1 = private.sign(MESSAGE, padding.PKCS1v15(), SHA256())
    rs256, ps256 = build_key("RS256", spki_of(private)), build_key("PS256", spki_of(private))
    assert rs256.verify(by_pkcs1, MESSAGE)
    assert ps256.verify(by_pss, MESSAGE)
    assert not rs256.verify(by_pss, MESSAGE)
    assert not ps256.verify(by_pkcs1, MESSAGE)
    assert not ps256.verify(private.sign(MESSAGE, padding.PSS(padding.MGF1(SHA256()), 20), SHA256()), MESSAGE)


@pytest.mark.parametrize("size", [0, 1, 255, 257, 4_096])
@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_a_signature_of_another_length_is_none(alg: str, size: int) -> None:
    assert not build_key(alg, spki_of(rsa_key("schemes"))).verify(b"\x01" * size, MESSAGE)


@pytest.mark.parametrize("bits", [1024, 2047])
def test_a_key_too_short_is_refused(bits: int) -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1)
    with pytest.raises(ValueError, match="2048 to 4096 bits"):
        build_key("RS256", spki_of(Holder(numbers.public_key())))


@pytest.mark.parametrize("exponent", [1, 2, 4, 65_536, 2**64 + 1, 2**2000 + 1])
@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_an_exponent_with_which_anybody_can_sign_or_that_costs_too_much_is_refused(alg: str, exponent: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - some the library refuses, in its own words
        build_key(alg, spki_with(rsa_key("schemes").public_key().public_numbers().n, exponent))


def test_an_even_modulus_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        build_key("RS256", spki_with(2 * rsa_key("schemes").public_key().public_numbers().n, 65_537))


def spki_with(modulus: int, exponent: int) -> bytes:
    key = RSAPublicKey({"modulus": modulus, "public_exponent": exponent})
    return bytes(PublicKeyInfo({"algorithm": {"algorithm": "rsa"}, "public_key": key}).dump())


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="not an RSA key"):
        build_key("PS256", spki_of(ec_key("no rsa")))


class Holder:
    """Stands for a private key of which only the public half is there."""

    def __init__(self, public: rsa.RSAPublicKey) -> None:
        self._public = public

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public
