"""Certificates that the library refuses or will refuse, as real countries have published them."""

import contextlib

import pytest
from asn1crypto import keys
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.keys import certificates, lenient_certificates
from agent.adapters.keys.verification import read_certificate
from agent.core.trust_list import CertificateRefused
from fakes.signers import (
    ORDER,
    TEST,
    VACCINATION,
    certificate,
    ec_key,
    rsa_key,
    spki_of,
    with_bad_letters,
    with_bad_serial,
)

AUTHORITY, SIGNER = ec_key("authority"), ec_key("signer")
GOOD = certificate(SIGNER, usages=[TEST, VACCINATION])


def seen(one):
    return one.spki, one.not_before_s, one.not_after_s, one.country, one.usages, one.is_authority


@pytest.mark.parametrize(
    "der",
    [
        GOOD,
        certificate(SIGNER),
        certificate(AUTHORITY, is_authority=True),
        certificate(ec_key("p384", ec.SECP384R1()), is_authority=True, hash_alg=hashes.SHA384()),
        certificate(rsa_key(), country="XB"),
    ],
    ids=["usages", "plain", "authority", "P-384", "RSA"],
)
def test_both_readers_see_the_same_in_a_good_certificate(der):
    assert seen(lenient_certificates.read_certificate(der)) == seen(read_certificate(der))


@pytest.mark.parametrize("break_it", [with_bad_serial, with_bad_letters])
def test_a_real_certificate_that_the_library_refuses_is_read_all_the_same(break_it):
    bad = break_it(GOOD)
    assert bad != GOOD
    one = read_certificate(bad)
    assert (one.spki, one.usages, one.is_authority) == (spki_of(SIGNER), {TEST, VACCINATION}, False)
    assert one.key("ES256").verify(b"\x01" * 64, b"nothing") is False


def test_the_library_still_dislikes_a_negative_serial():
    """Once it no longer says so, it refuses: either way the certificate is read leniently."""
    with pytest.raises((CryptographyDeprecationWarning, ValueError)):
        x509.load_der_x509_certificate(with_bad_serial(GOOD))


def test_a_curve_that_is_written_out_becomes_its_name():
    """SpecifiedECDomain of SEC 1: some authorities write all of P-256 where its name would do."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"
    base_x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    base_y = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    curve = keys.SpecifiedECDomain({
        "version": "ecdpVer1",
        "field_id": {"field_type": "prime_field", "parameters": prime},
        "curve": {"a": (prime - 3).to_bytes(32, "big"), "b": bytes.fromhex(b)},
        "base": b"\x04" + bytes.fromhex(base_x + base_y),
        "order": ORDER,
        "cofactor": 1,
    })  # fmt: skip
    parsed = asn1.Certificate.load(GOOD)
    info = parsed["tbs_certificate"]["subject_public_key_info"]
    info["algorithm"]["parameters"] = keys.ECDomainParameters("specified", curve)
    written_out = parsed.dump(force=True)
    assert len(written_out) > len(GOOD) + 200
    assert read_certificate(written_out).spki == spki_of(SIGNER)
    assert lenient_certificates.read_certificate(written_out).spki == spki_of(SIGNER)


@pytest.mark.parametrize(
    ("use", "may_sign"), [("digital_signature", True), ("non_repudiation", True), ("key_cert_sign", False)]
)
def test_the_key_usage_says_whether_it_may_sign(use, may_sign):
    parsed = asn1.Certificate.load(GOOD)
    usage = asn1.Extension({"extn_id": "key_usage", "critical": True, "extn_value": {use}})
    parsed["tbs_certificate"]["extensions"] = asn1.Extensions([*parsed["tbs_certificate"]["extensions"], usage])
    for der in (parsed.dump(force=True), with_bad_serial(parsed.dump(force=True))):
        assert read_certificate(der).may_sign is may_sign
        assert lenient_certificates.read_certificate(der).may_sign is may_sign
    assert lenient_certificates.read_certificate(GOOD).may_sign is read_certificate(GOOD).may_sign is True


def test_a_leniently_read_authority_vouches_for_nobody():
    authority = read_certificate(with_bad_serial(certificate(AUTHORITY, is_authority=True)))
    assert authority.is_authority
    assert not isinstance(authority, certificates.X509Certificate)
    with pytest.raises(CertificateRefused, match="not one that the standard allows"):
        authority.vouch(certificate(SIGNER, authority=(AUTHORITY, "XA")))


@given(st.integers(min_value=0, max_value=8 * len(GOOD) - 1))
def test_a_flipped_bit_never_raises_anything_else(bit):
    der = bytearray(GOOD)
    der[bit // 8] ^= 1 << bit % 8
    for read in (lenient_certificates.read_certificate, read_certificate):
        with contextlib.suppress(CertificateRefused):
            read(bytes(der))


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_and_nothing_else(data):
    with pytest.raises(CertificateRefused):
        lenient_certificates.read_certificate(data)


@pytest.mark.parametrize("der", [b"", GOOD + b"\x00", GOOD[:-1], b"\x30\x03\x02\x01\x00", b"\x30" * 9_000])
def test_what_is_no_certificate_is_refused(der):
    with pytest.raises(CertificateRefused):
        read_certificate(der)
