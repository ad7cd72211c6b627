"""The byte vectors and the CDDL describe the same wire."""

from pathlib import Path

import cbor2
import pycddl
import pytest

PROTOCOL = Path(__file__).parent.parent / "docs" / "protocol"


def schema(root: str, *files: str) -> pycddl.Schema:
    text = "".join((PROTOCOL / f"{name}.cddl").read_text() for name in ("cose", *files))
    return pycddl.Schema(f"root = {root}\n{text}")


def validate_signed(signed: bytes, payload_schema: pycddl.Schema) -> None:
    """Check a COSE_Sign1 part by part: the validator does not follow .cbor inside an array."""
    outer = cbor2.loads(signed)
    assert outer.tag == 18
    protected, unprotected, payload, signature = outer.value
    assert unprotected == {}
    assert len(signature) == 64
    schema("protected-header").validate_cbor(protected)
    payload_schema.validate_cbor(payload)


def test_every_record_vector_fits_the_cddl(vectors):
    records = vectors("records")["records"]
    assert len(records) == 3
    for record in records:
        validate_signed(bytes.fromhex(record["envelope"]), schema("record", "record"))


@pytest.mark.parametrize(
    ("root", "vector", "field"),
    [
        ("head", "batch", "head"),
        ("receipt", "batch", "receipt"),
        ("head", "hello", "empty_head"),
    ],
)
def test_signed_message_vectors_fit_the_cddl(vectors, root, vector, field):
    validate_signed(bytes.fromhex(vectors(vector)[field]), schema(root, "batch"))


def test_the_vectors_of_a_request_fit_the_cddl(vectors):
    records = vectors("requests")["records"]
    assert list(records) == ["opened", "items added", "confirmed", "lapsed"]
    for envelope in records.values():
        validate_signed(bytes.fromhex(envelope), schema("record", "record"))


def test_the_vectors_of_online_verification_fit_the_cddl(vectors):
    online = vectors("online")
    for name in ("attempt_record", "decision_record"):
        validate_signed(bytes.fromhex(online[name]), schema("record", "record"))
    validate_signed(bytes.fromhex(online["request"]), schema("verification-request", "record", "online"))
    answers = online["answers"]
    assert len(answers) == 5
    for signed in answers.values():
        validate_signed(bytes.fromhex(signed), schema("verification", "record", "online"))
    for name in ("a finding that is none", "a field too many", "a field too few", "a list"):
        with pytest.raises(pycddl.ValidationError):
            validate_signed(bytes.fromhex(online["not_believed"][name]), schema("verification", "record", "online"))


@pytest.mark.parametrize(("root", "vector"), [("batch", "batch"), ("hello", "hello"), ("hello-answer", "hello")])
def test_message_vectors_fit_the_cddl(vectors, root, vector):
    field = "answer" if root == "hello-answer" else root
    schema(root, "hello", "batch").validate_cbor(bytes.fromhex(vectors(vector)[field]))


def test_the_codes_that_verify_fit_the_cddl_and_broken_ones_do_not(vectors):
    claims = schema("ehc1-claims", "ehc1")
    cases = {case["name"]: case for case in vectors("ehc1")["cases"]}
    good = [case for case in cases.values() if case["expect"] == "verified"]
    assert len(good) == 7
    for case in good:
        validate_signed(bytes.fromhex(case["cose"]), claims)
    for name in ("dynamic without exp", "dynamic without cti", "type 2", "card id of 31 bytes", "issuer as a number"):
        with pytest.raises(pycddl.ValidationError):
            validate_signed(bytes.fromhex(cases[name]["cose"]), claims)


def test_a_batch_with_a_wrong_field_does_not_fit(vectors):
    good = bytes.fromhex(vectors("batch")["batch"])
    with pytest.raises(pycddl.ValidationError):
        schema("batch", "batch").validate_cbor(good.replace(b"\x67kiosk-1", b"\x47kiosk-1", 1))
