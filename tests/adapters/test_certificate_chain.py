"""What an authority's certificate vouches for, with certificates made on the spot."""

from typing import Any

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1

from agent.adapters.keys import certificates, chain
from agent.adapters.keys.verification import read_certificate
from agent.core.trust_list import CertificateRefused
from fakes.asia_issuers import PROFILE, Authority, document_types, ec_key, key_usage, rsa_key

CSCA = Authority()
AUTHORITY = read_certificate(CSCA.certificate)
SIGNER = CSCA.certify(ec_key("signer"))


def test_a_certificate_is_read_as_it_says() -> None:
    signer = AUTHORITY.vouch(SIGNER)
    assert (signer.country, signer.is_authority, AUTHORITY.is_authority) == ("UT", False, True)
    assert signer.usages == {"2.23.136.1.1.14.2"}
    assert signer.document_types == {"NV", "NT"}
    assert AUTHORITY.document_types == AUTHORITY.usages == frozenset()


def test_a_signer_vouches_for_nobody() -> None:
    signer = AUTHORITY.vouch(SIGNER)
    with pytest.raises(CertificateRefused, match="not an authority's"):
        signer.vouch(SIGNER)


@pytest.mark.parametrize(
    "other", [Authority("another"), Authority("csca", key=ec_key("twin")), Authority("csca", key=rsa_key("csca", 3072))]
)
def test_an_authority_vouches_for_what_its_key_signed_alone(other: Authority) -> None:
    with pytest.raises(CertificateRefused, match="not signed by this authority"):
        read_certificate(other.certificate).vouch(SIGNER)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # the library's word on what is then refused
def test_no_altered_bit_is_vouched_for_and_none_raises_anything_else() -> None:
    for bit in range(len(SIGNER) * 8):
        altered = bytearray(SIGNER)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CertificateRefused):
            AUTHORITY.vouch(bytes(altered))


def test_an_answer_is_remembered_and_not_more_than_a_few() -> None:
    certificates._read_again.cache_clear()
    chain.refusal.cache_clear()
    for _ in range(3):
        AUTHORITY.vouch(SIGNER)
    assert (chain.refusal.cache_info().misses, chain.refusal.cache_info().hits) == (1, 2)
    for number in range(chain.ANSWERS_MAX + 5):
        AUTHORITY.vouch(CSCA.certify(ec_key("signer"), label=f"signer {number}"))
    assert chain.refusal.cache_info().currsize == chain.ANSWERS_MAX
    assert certificates._read_again.cache_info().currsize == certificates.CERTIFICATES_MAX


def test_a_refusal_is_remembered_as_one() -> None:
    chain.refusal.cache_clear()
    twin = read_certificate(Authority("csca", key=ec_key("twin")).certificate)
    for _ in range(2):
        with pytest.raises(CertificateRefused):
            twin.vouch(SIGNER)
    assert (chain.refusal.cache_info().misses, chain.refusal.cache_info().hits) == (1, 1)


@pytest.mark.parametrize(
    ("value", "types"),
    [
        (document_types("NV").value, {"NV"}),
        (document_types().value, set()),
        (document_types("NV", "P", "NT").value, {"NV", "P", "NT"}),
        (b"", {"unreadable"}),
        (b"\x30", {"unreadable"}),
        (b"\x30\x80", {"unreadable"}),
        (document_types("NV").value + b"\0", {"unreadable"}),
        (document_types("NV").value[:-1], {"unreadable"}),
        (document_types("NV").value.replace(b"\x13\x02", b"\x13\x05"), {"unreadable"}),
        (document_types("NV").value.replace(b"\x13\x02", b"\x0c\x02"), {"unreadable"}),
        (b"\x30\x06\x02\x01\x00\x31\x01\x13", {"unreadable"}),
        (document_types("NV", *["XX"] * 40).value[:1] + b"\x81" * 200, {"unreadable"}),
    ],
)
def test_document_types_are_read_or_said_to_be_unreadable(value: bytes, types: set[str]) -> None:
    extension = x509.UnrecognizedExtension(chain.DOCUMENT_TYPES, value)
    extensions = [*(found for found in PROFILE if not isinstance(found[0], x509.UnrecognizedExtension))]
    der = CSCA.certify(ec_key("signer"), extensions=[*extensions, (extension, False)])
    assert read_certificate(der).document_types == types


NAME_CONSTRAINTS = x509.NameConstraints([x509.DNSName("example")], None)
AN_AUTHORITY = (x509.BasicConstraints(ca=True, path_length=0), True)


@pytest.mark.parametrize(
    ("extensions", "is_good"),
    [
        ((AN_AUTHORITY, (key_usage(key_cert_sign=True), True)), True),
        ((AN_AUTHORITY, (key_usage(crl_sign=True), True)), False),
        ((AN_AUTHORITY, (NAME_CONSTRAINTS, True)), False),
        ((AN_AUTHORITY, (NAME_CONSTRAINTS, False)), True),
        ((AN_AUTHORITY, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)), False),
        (((x509.BasicConstraints(ca=False, path_length=None), True),), False),
        ((), False),
    ],
)
def test_an_authority_does_what_its_own_certificate_allows(extensions: tuple[Any, ...], is_good: bool) -> None:
    """What it may vouch for can be narrowed by extensions that must be understood (RFC 5280 §4.2)."""
    country = Authority(extensions=extensions)
    authority, signer = read_certificate(country.certificate), country.certify(ec_key("signer"))
    if is_good:
        assert authority.vouch(signer).country == "UT"
        return
    with pytest.raises(CertificateRefused):
        authority.vouch(signer)


def test_a_hash_too_weak_vouches_for_nobody() -> None:
    """The library refuses SHA-1, two texts of which anybody can make, by itself."""
    country = Authority(key=rsa_key("strong"))
    body = asn1.Certificate.load(country.certify(ec_key("signer")))["tbs_certificate"].copy()
    body["signature"] = asn1.SignedDigestAlgorithm({"algorithm": "sha1_rsa"})
    signature = country.key.sign(body.dump(), PKCS1v15(), SHA1())  # noqa: S303 - the point of it
    whole = asn1.Certificate(
        {"tbs_certificate": body, "signature_algorithm": body["signature"], "signature_value": signature}
    ).dump()
    with pytest.raises(CertificateRefused, match="not signed by this authority"):
        read_certificate(country.certificate).vouch(whole)


WEAK = {"RSA-1024": rsa_key("weak", 1024), "P-192": ec.generate_private_key(ec.SECP192R1())}


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
def test_an_authority_with_a_key_too_weak_vouches_for_nobody(key: Any) -> None:
    weak = Authority(key=key)
    with pytest.raises(CertificateRefused, match="too weak"):
        read_certificate(weak.certificate).vouch(weak.certify(ec_key("signer")))


def test_a_signer_whose_key_is_not_for_signatures_is_vouched_for_by_nobody() -> None:
    for usage, is_good in ((key_usage(content_commitment=True), True), (key_usage(key_agreement=True), False)):
        der = CSCA.certify(ec_key("signer"), extensions=[(usage, True)])
        assert read_certificate(der).may_sign is is_good
        if not is_good:
            with pytest.raises(CertificateRefused, match="not a certificate for signatures"):
                AUTHORITY.vouch(der)
