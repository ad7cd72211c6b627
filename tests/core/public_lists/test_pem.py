"""PEM files: certificates and keys of Aadhaar, VDS-NC and single signers."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.core.codes.vds_nc import PURPOSE
from agent.core.public_lists import pem
from agent.core.public_lists.intake import ListUnreadable, utc
from fakes import signers
from fakes.public_lists import NOW_S, intake, refused
from fakes.signers import b64, certificate, ec_key, rsa_key, spki_of

KEY = ec_key("signer")
RSA = rsa_key()


def read(*blocks, family="hcert", **choices):
    one = intake(family=family, **choices)
    pem.read(b"".join(blocks), one)
    return one


def test_aadhaar_s_certificate_or_key_is_pinned_with_its_dates_where_it_has_any():
    one = read(
        signers.pem(certificate(RSA, ends=2027)), signers.pem(spki_of(rsa_key()), "PUBLIC KEY"), family="aadhaar"
    )
    assert one.refused == []
    assert [(e["issuer"], e["alg"], e.get("not_after")) for e in one.entries] == [
        ("UIDAI", "RS256", "2027-01-01T00:00:00Z"), ("UIDAI", "RS256", None),
    ]  # fmt: skip
    assert [reason for _, reason in refused(read(signers.pem(certificate(KEY)), family="aadhaar"))] == [
        "curve-unsupported"
    ]


def test_an_authority_of_vds_nc_is_taken_whole_a_signer_by_its_key():
    authority = certificate(ec_key("384", ec.SECP384R1()), is_authority=True, hash_alg=hashes.SHA384())
    signer = certificate(KEY, usages=["2.23.136.1.1.14.2"])
    one = read(signers.pem(authority), signers.pem(signer), family="vds-nc", issuer="XXA")
    assert one.entries[0]["x5c"] == [b64(authority)]
    assert one.entries[0]["alg"] == "ES384"
    assert one.entries[1]["spki"] == b64(spki_of(KEY))
    assert {entry["issuer"] for entry in one.entries} == {"XXA"}
    assert [r for _, r in refused(read(signers.pem(authority), family="vds-nc"))] == ["issuer-missing"]
    for of_passports in (certificate(KEY), certificate(KEY, usages=["2.23.136.1.1.3"])):
        assert [r for _, r in refused(read(signers.pem(of_passports), family="vds-nc", issuer="XXA"))] == [
            "not-for-signing"
        ]


def test_a_date_of_any_year_is_written_as_a_terminal_reads_it():
    assert [utc(at_s) for at_s in (-62_135_596_800, -40_000_000_000, 253_402_300_799)] == [
        "0001-01-01T00:00:00Z", "0702-06-15T00:53:20Z", "9999-12-31T23:59:59Z",
    ]  # fmt: skip


@pytest.mark.parametrize("is_authority", [True, False])
def test_a_certificate_that_ends_before_it_begins_is_refused(is_authority):
    der = certificate(KEY, usages=["2.23.136.1.1.14.2"], is_authority=is_authority)
    inverted = der.replace(b"360101000000Z", b"250101000000Z")
    assert inverted != der
    assert refused(read(signers.pem(inverted), family="vds-nc", issuer="XXA")) == [("[0]", "dates-inverted")]


def test_a_signer_of_seals_is_pinned_for_the_documents_its_certificate_is_for():
    def pinned(usages=(), types=(), may_sign=True):
        known = SimpleNamespace(
            spki=spki_of(KEY), is_authority=False, may_sign=may_sign, usages=frozenset(usages),
            document_types=frozenset(types), not_before_s=NOW_S - 1, not_after_s=NOW_S + 1,
        )  # fmt: skip
        one = intake(family="vds-nc", issuer="XXA")
        one.read_certificate = lambda _der: known
        pem.read(signers.pem(certificate(KEY)), one)
        return one.entries[0].get("usage") if one.entries else refused(one)[0][1]

    assert pinned([PURPOSE]) is None
    assert pinned([PURPOSE], ["NT"]) == ["icao.test"]
    assert pinned([PURPOSE], ["NV", "NT"]) == ["icao.test", "icao.vacc"]
    assert pinned([PURPOSE], ["P"]) == "not-a-signer"
    assert pinned() == pinned(["1.3.6.1.5.5.7.3.1"]) == "not-for-signing"  # of anything; of a web server
    assert pinned([PURPOSE], ["NT"], may_sign=False) == "not-for-signing"  # its key agrees on keys


@pytest.mark.parametrize("issuer", ["australia", "Aus", "AUSS", "A1S", "AUS "])
def test_an_issuer_that_no_seal_could_name_is_refused(issuer):
    one = read(signers.pem(certificate(KEY, usages=[PURPOSE])), family="vds-nc", issuer=issuer)
    assert [r for _, r in refused(one)] == ["issuer-invalid"]


def test_a_single_signer_is_of_its_certificate_s_country():
    der = certificate(KEY, country="XB")
    one = read(signers.pem(der))
    assert (one.entries[0]["issuer"], one.entries[0]["kid"]) == ("XB", signers.kid_of(der).hex())
    assert read(der).entries == one.entries, "the same as DER"


def test_a_private_key_is_refused_aloud():
    secret = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    one = read(secret, signers.pem(certificate(KEY)))
    assert refused(one) == [("[0]", "private-key")]
    assert len(one.entries) == 1


@pytest.mark.parametrize("data", [b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA"])
def test_a_file_without_a_block_is_refused_as_a_whole(data):
    with pytest.raises(ListUnreadable):
        read(data)


def test_a_file_does_not_say_what_its_keys_are_for():
    with pytest.raises(ListUnreadable, match="--family"):
        read(signers.pem(certificate(KEY)), family=None)


@pytest.mark.parametrize(
    "block", [signers.pem(b"none"), signers.pem(b"", "CERTIFICATE REQUEST"), b"\x30\x03\x02\x01\x00"]
)
def test_a_block_that_is_nothing_of_the_kind_is_named(block):
    assert refused(read(block)) == [("[0]", "not-a-certificate")]


def test_the_public_aadhaar_test_key_is_taken():
    folder = os.environ.get("SCANWARD_VECTORS")
    if not folder:
        pytest.skip("SCANWARD_VECTORS names no folder with aadhaar/ in it (docs/conformance.md)")
    for name in ("testPublicKey.pem", "testCertificate.pem"):
        one = read((Path(folder) / "aadhaar" / name).read_bytes(), family="aadhaar")
        assert (len(one.entries), one.refused) == (1, [])
