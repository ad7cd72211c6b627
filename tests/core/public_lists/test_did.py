"""The WHO's DID documents: the certificate counts, the coordinates must agree with it as numbers."""

import json

import pytest

from agent.core.public_lists import did
from agent.core.public_lists.intake import ListUnreadable
from fakes.public_lists import did_document, did_method, did_method_of_version_1, intake, refused
from fakes.signers import b64, certificate, ec_key, kid_of, spki_of

KEY, OTHER = ec_key("signer"), ec_key("other")
DER = certificate(KEY)


def read(*methods, **choices):
    one = intake(**choices)
    did.read(did_document(methods), one)
    return one


@pytest.mark.parametrize("method", [did_method(KEY, DER), did_method_of_version_1(KEY, DER)])
def test_a_method_becomes_a_key_of_its_participant(method):
    one = read(method)
    assert one.refused == one.remarks == []
    assert [(entry["issuer"], entry["kid"], entry["spki"]) for entry in one.entries] == [
        ("XXA", kid_of(DER).hex(), b64(spki_of(KEY)))
    ]


def test_malformed_coordinates_do_not_matter_beside_a_certificate_that_agrees():
    one = read(did_method(KEY, DER, padding=b"\x00"))
    assert len(one.entries) == 1
    assert [remark.reason for remark in one.remarks] == ["coordinates-malformed"]


def test_malformed_coordinates_alone_are_no_key():
    method = did_method(KEY, DER, padding=b"\x00")
    del method["publicKeyJwk"]["x5c"]
    assert refused(read(method)) == [("verificationMethod[0]", "coordinates-malformed")]
    whole = did_method(KEY, DER)
    del whole["publicKeyJwk"]["x5c"]
    assert read(whole).entries[0]["spki"] == b64(spki_of(KEY))


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("did:web:list.example:v2:trustlist:DCC:XXA:DSC", "by-reference"),
        (7, "not-an-entry"),
        (did_method(KEY, DER) | {"id": "did:web:list.example:elsewhere#a"}, "not-an-entry"),
        (did_method(KEY, DER) | {"publicKeyJwk": 7}, "not-an-entry"),
        (did_method(KEY, DER, use="SCA"), "not-a-signer"),
        (did_method(KEY, DER, domain="IPS"), "other-domain"),
        (did_method(OTHER, DER), "key-differs"),
        (did_method(KEY, DER, d="AA"), "private-key"),
        (did_method(KEY, DER, kid="*"), "not-base64"),
        (did_method(KEY, DER, x5c=["AAAA"]), "not-a-certificate"),
        (did_method(KEY, DER, x5c=[]), "not-a-certificate"),
        (did_method(KEY, DER, x="*"), "key-differs"),
        (did_method(KEY, certificate(KEY, is_authority=True)), "authority"),
        (did_method(KEY, certificate(KEY, begins=2019, ends=2021)), "expired"),
    ],
)
def test_what_is_not_taken_is_named(method, reason):
    one = read(method)
    assert one.entries == []
    assert refused(one) == [("verificationMethod[0]", reason)]


def test_another_domain_is_taken_where_it_is_asked_for_and_a_key_once():
    methods = [did_method(KEY, DER, domain="IPS"), did_method(KEY, DER)]
    one = read(*methods, domains=frozenset({"IPS", "DCC"}))
    assert len(one.entries) == 1
    assert refused(one) == [("verificationMethod[1]", "duplicate")]


def test_a_wildcard_in_the_path_is_filled_in_by_the_method():
    method = did_method(KEY, DER) | {"id": f"did:web:list.example:v2:trustlist:-:XXA:-#{b64(kid_of(DER))}"}
    assert len(read(method).entries) == 1
    assert refused(read(method | {"keyusage": "SCA"})) == [("verificationMethod[0]", "not-a-signer")]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"verificationMethod": 7}', json.dumps({"a": 1}).encode()])
def test_what_is_no_document_is_refused_as_a_whole(data):
    with pytest.raises(ListUnreadable):
        did.read(data, intake())
